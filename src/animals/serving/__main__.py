"""Start the backend: `python -m animals.serving`; PORT and ANIMALS_HOST say where it listens."""

import argparse
import logging
import logging.config
import signal
import socket
import sys
from typing import Final

import uvicorn
from fastapi import FastAPI

from animals.config.services import ServiceSettings, explain_settings, read_settings
from animals.errors import ConfigError
from animals.serving.app import create_app
from animals.serving.logs import log_config

logger = logging.getLogger("animals.serving")

GRACE_SECONDS: Final = 8
"""For answers in progress after SIGTERM; Cloud Run kills after ten."""


def main() -> int:
    """Serve until SIGTERM or Ctrl+C.

    Returns:
        The exit code: 0 after a wanted end, 2 for an impossible setting, 1 if the port cannot be had.
    """
    argparse.ArgumentParser(
        prog="python -m animals.serving",
        description="Serve the model that the bucket says shall serve. Environment variables set it up:",
        epilog=explain_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    # uvicorn repeats the signal that ended it, which would end the process with an error
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        settings = read_settings()
        logging.config.dictConfig(log_config(settings))
        app = create_app(settings)
    except ConfigError as error:
        return _refuse(str(error), error.exit_code)
    host, port = settings.address
    try:
        # uvicorn's own way of saying that an address is taken has no advice
        listener = socket.create_server(settings.address, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address in brackets
        return _refuse(
            f"Cannot listen on {host}:{port}: {reason}. "
            "Stop what listens there, or choose another port: PORT=8001 python -m animals.serving",
            1,
        )
    with listener:
        port = listener.getsockname()[1]
        logger.info("Listening on http://%s:%d - open /docs there to try it; Ctrl+C ends it.", host, port)
        uvicorn.Server(_server_config(app, settings)).run(sockets=[listener])
    return 0


def _refuse(sentence: str, exit_code: int) -> int:
    sys.stderr.write(f"{sentence}\n")
    return exit_code


def _server_config(app: FastAPI, settings: ServiceSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=not settings.in_cloud,  # Cloud Run writes such lines itself; ours would hold visitors' addresses
        forwarded_allow_ips="*" if settings.in_cloud else None,  # only Cloud Run's proxy reaches the container
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


if __name__ == "__main__":
    sys.exit(main())
