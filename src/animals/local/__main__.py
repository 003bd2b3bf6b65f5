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
from animals.frontend.clients import Backend, ReportFunction, local_session
from animals.frontend.http_client import HttpClient
from animals.local.child_process import request_end, start
from animals.local.demo_traffic import Counts, labelled_pictures, send
from animals.local.secret import local_secret
from animals.local.services import Ports, Service, local_services
from animals.local.supervisor import Supervisor, responds
from animals.serving.settings import BackendSettings
from animals.storage import Storage, open_storage

REPORT: Final = Path("reports.zip")
"""Written by `demo --once`."""

REPORT_DAYS: Final = 7

PATIENCE: Final = 60
"""Seconds that the demo waits in total for a busy service."""


def up(arguments: argparse.Namespace) -> None:
    """Start backend, page and report function, and show their output until Ctrl-C."""
    console = Console(highlight=False)
    bucket, services = _services(arguments)
    with _expect_interrupt(), Supervisor(services, console) as supervisor:
        supervisor.wait_until_ready()
        if not _is_published(bucket):
            supervisor.print("No model is published yet. Run: invoke train. The backend then serves it by itself.")
        supervisor.print("All services run. Ctrl-C stops them.")
        supervisor.run_until_signal()


def demo(arguments: argparse.Namespace) -> None:
    """Train on the sample if no model is published, start all services, and send requests and feedback."""
    console = Console(highlight=False)
    bucket, services = _services(arguments)
    backend, page, report = services
    if not _is_published(bucket):
        _train(arguments.args)
    pictures = labelled_pictures(bucket)
    with _expect_interrupt(), Supervisor(services, console) as supervisor:
        supervisor.wait_until_ready()
        supervisor.wait_until(lambda: responds(f"{backend.url}/readyz"), "The backend has no model that it can serve.")
        client = Backend(_connect("The backend", backend))
        counts = send(client, pictures, after_each=supervisor.check)
        supervisor.wait_until(lambda: any(bucket.names("predictions/")), "The backend did not store its predictions.")
        supervisor.print(_describe(counts))
        if arguments.once:
            REPORT.write_bytes(ReportFunction(_connect("The report function", report)).archive(REPORT_DAYS))
            supervisor.print(f"The report is in {REPORT}.")
            return
        supervisor.print(_next_steps(page, report))
        supervisor.run_until_signal()


def _connect(name: str, service: Service) -> HttpClient:
    return HttpClient(name, service.url, local_session(), patience=PATIENCE)


def _describe(counts: Counts) -> str:
    return (
        f"{counts.classified} pictures were classified, {counts.correct} of them correctly; "
        f"{counts.corrupted} were corrupted on purpose. "
        f"{counts.with_feedback} have feedback, {counts.stored} with the picture."
    )


def _next_steps(page: Service, report: Service) -> str:
    return (
        f"Try it:           {page.url}\n"
        f"See model health: {page.url}/maintainer\n"
        f'Get the report:   curl -X GET "{report.url}{report.home}" -o reports.zip\n'
        "Ctrl-C stops all services."
    )


def _services(arguments: argparse.Namespace) -> tuple[Storage, tuple[Service, Service, Service]]:
    """Return the bucket, and the services on it.

    Raises:
        ConfigError: a setting is invalid.
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
    """Train on the sample, in a process that ends with this one.

    Raises:
        AnimalsError: the training failed.
    """
    training = start("animals.training", "experiment=sample", *split_words(overrides), environment=os.environ)
    try:
        code = training.wait()
    except KeyboardInterrupt:
        request_end(training)  # it writes a checkpoint
        training.wait()
        raise
    if code:
        raise AnimalsError(f"The training ended with exit code {code}. Its output above gives the reason.")


@contextmanager
def _expect_interrupt() -> Iterator[None]:
    """Treat Ctrl-C as the normal end of the block."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\nAll services are stopped.\n")


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
