"""`animals demo`: a model, the services, and some traffic and feedback."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from animals.errors import AnimalsError
from animals.local.child_process import release, start
from animals.local.demo_traffic import Tally, fetch_report, known_pictures, send
from animals.local.services import Ports, Service
from animals.local.supervisor import Supervisor, answers
from animals.local.up import configure_services, is_published, stopped_by_ctrl_c

REPORT: Final = Path("reports.zip")
"""What `demo --once` writes."""


def demo(ports: Ports, overrides: Sequence[str], *, once: bool) -> None:
    """Train the sample if there is no model yet, start the services, and send some traffic and feedback.

    Args:
        ports: of the services.
        overrides: Hydra's, for the training.
        once: fetch the report and end, instead of running until Ctrl-C.

    Raises:
        ConfigError: a setting is impossible.
        AnimalsError: the training or a service failed.
    """
    bucket, services = configure_services(ports)
    backend, page, report = services
    if not is_published(bucket):
        _train(overrides)
    pictures = known_pictures(bucket)
    with stopped_by_ctrl_c(), Supervisor(services, Console(highlight=False)) as running:
        running.wait_until_ready()
        running.until(lambda: answers(f"{backend.url}/readyz"), "The backend has no model that it can serve.")
        tally = send(backend.url, pictures, between=running.check)
        running.until(lambda: any(bucket.names("predictions/")), "The backend did not store what it answered.")
        running.say(_told(tally))
        if once:
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


def _train(overrides: Sequence[str]) -> None:
    """Train the sample with the ordinary trainer; it ends with this process.

    Raises:
        AnimalsError: it failed, and has printed the reason.
    """
    training = start("animals", "train", "experiment=sample", *overrides, environment=os.environ)
    try:
        code = training.wait()
    except KeyboardInterrupt:
        release(training)  # it saves a checkpoint
        training.wait()
        raise
    if code:
        raise AnimalsError(f"The training ended with exit code {code}; why is said above.")
