"""`python -m animals.local up`, or `demo`: backend, page and report function on this machine.

The bucket is that of ANIMALS_BUCKET. Ctrl-C stops all; if one ends by itself, so do the others, with exit code 1.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Final

from rich.console import Console

from animals import registry
from animals.cli import exit_on_error, split_words
from animals.config.settings import read_settings
from animals.errors import AnimalsError, NoModel
from animals.local.child_process import release, start
from animals.local.demo_traffic import Tally, fetch_report, known_pictures, send
from animals.local.secret import local_secret
from animals.local.services import Ports, Service, local_services
from animals.local.supervisor import Supervisor, answers
from animals.serving.settings import BackendSettings
from animals.storage import Storage, open_storage

REPORT: Final = Path("reports.zip")
"""What `demo --once` leaves."""


def up(arguments: argparse.Namespace) -> None:
    """Start backend, page and report function, and show what they say until Ctrl-C."""
    console = Console(highlight=False)
    bucket, services = _services(arguments)
    with _ended_by_a_signal(), Supervisor(services, console) as running:
        running.wait_until_ready()
        if not _is_published(bucket):
            running.say("No model is published yet: invoke train makes one, and it serves as soon as it is there.")
        running.say("All run. Ctrl-C stops them.")
        running.watch()


def demo(arguments: argparse.Namespace) -> None:
    """Train the sample if there is no model yet, start all, and send some traffic and feedback."""
    console = Console(highlight=False)
    bucket, services = _services(arguments)
    backend, page, report = services
    if not _is_published(bucket):
        _train(arguments.args)
    pictures = known_pictures(bucket)
    with _ended_by_a_signal(), Supervisor(services, console) as running:
        running.wait_until_ready()
        running.until(lambda: answers(f"{backend.url}/readyz"), "The backend has no model that it can serve.")
        tally = send(backend.url, pictures, between=running.check)
        running.until(lambda: any(bucket.names("predictions/")), "The backend did not store what it answered.")
        running.say(_told(tally))
        if arguments.once:
            fetch_report(f"{report.url}{report.show}", REPORT)
            running.say(f"The report is in {REPORT}.")
            return
        running.say(_what_to_look_at(page, report))
        running.watch()


def _told(tally: Tally) -> str:
    return (
        f"{tally.asked} pictures were asked about, {tally.spoiled} of them spoiled; {tally.right} answers were right. "
        f"{tally.judged} were judged, {tally.kept} with the picture."
    )


def _what_to_look_at(page: Service, report: Service) -> str:
    return (
        f"Try it:          {page.url}\n"
        f"See how it does: {page.url}/maintainer\n"
        f'Get the report:  curl -X GET "{report.url}{report.show}" -o reports.zip\n'
        "Ctrl-C stops all."
    )


def _services(arguments: argparse.Namespace) -> tuple[Storage, tuple[Service, Service, Service]]:
    """The bucket, and the services over it.

    Raises:
        ConfigError: a setting is impossible.
    """
    settings = read_settings(BackendSettings)
    secret = settings.secret.get_secret_value() if settings.secret else local_secret()
    ports = Ports(arguments.backend_port, arguments.page_port, arguments.report_port)
    return open_storage(settings.bucket), local_services(settings.bucket, secret, ports)


def _is_published(bucket: Storage) -> bool:
    try:
        registry.read_current(bucket)
    except NoModel:
        return False
    return True


def _train(overrides: str) -> None:
    """Train the sample with the ordinary trainer; it ends with this process.

    Raises:
        AnimalsError: it failed, and has said why.
    """
    training = start("animals.training", "experiment=sample", *split_words(overrides), environment=os.environ)
    try:
        code = training.wait()
    except KeyboardInterrupt:
        release(training)  # it keeps what it has learned
        training.wait()
        raise
    if code:
        raise AnimalsError(f"The training ended with exit code {code}; why is said above.")


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """Ctrl-C is how this is meant to end."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\nAll are stopped.\n")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process when it makes no sense."""
    parser = argparse.ArgumentParser(
        prog="python -m animals.local", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for run, about in ((up, "start all"), (demo, "the same with a model, traffic and feedback")):
        command = commands.add_parser(run.__name__, help=about, description=run.__doc__)
        for field in fields(Ports):
            option = f"--{field.name}-port"
            command.add_argument(option, type=_port, default=field.default, help=f"[{field.default}]")
        command.set_defaults(run=run)
    command.add_argument("--args", default="", help="Hydra overrides of the training, if there is no model yet")
    command.add_argument("--once", action="store_true", help=f"fetch the report into {REPORT} and end")
    return parser.parse_args(words)


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 2**16:
        raise argparse.ArgumentTypeError("expected 1 to 65535")
    return port


def main() -> None:
    """Run one command, with errors as one sentence and an exit code."""
    arguments = parse()
    with exit_on_error():
        arguments.run(arguments)


if __name__ == "__main__":
    main()
