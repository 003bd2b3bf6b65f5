"""What the services' commands share: help that explains the environment, and a port to listen on."""

import argparse
import socket

from animals.config.settings import Listening, explain_settings
from animals.errors import AnimalsError


def parse_no_arguments(command: str, description: str, settings: type[Listening]) -> None:
    """Answer --help with the variables that set a service up; it takes no arguments.

    Raises:
        SystemExit: help was wanted, or there are arguments.
    """
    argparse.ArgumentParser(
        prog=command,
        description=f"{description} Environment variables set it up:",
        epilog=explain_settings(settings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


def listen(address: tuple[str, int], *, otherwise: str) -> socket.socket:
    """Take a port; connections wait from then on.

    Args:
        address: host and port; port 0 takes any free one.
        otherwise: the words that choose another port.

    Raises:
        AnimalsError: somebody else has it, or this machine has no such address.
    """
    host, port = address
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address in brackets
        raise AnimalsError(
            f"Cannot listen on {host}:{port}: {reason}. Stop what listens there, or choose another port: {otherwise}"
        ) from error
