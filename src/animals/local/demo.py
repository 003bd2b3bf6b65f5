"""`animals demo`: a model, the services, and some requests and feedback."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from animals.errors import AnimalsError
from animals.frontend.clients import Backend, ReportFunction, local_session
from animals.frontend.http_client import HttpClient
from animals.local.child_process import request_end, start
from animals.local.demo_traffic import Counts, labelled_pictures, send
from animals.local.services import Ports, Service
from animals.local.supervisor import Supervisor, responds
from animals.local.up import configure_services, expect_interrupt, is_published

REPORT: Final = Path("reports.zip")

REPORT_DAYS: Final = 7

PATIENCE: Final = 60
"""Seconds that the demo waits in total for a busy service."""


def demo(ports: Ports, overrides: Sequence[str], *, once: bool) -> None:
    """Train on the sample if no model is published, start all services, and send requests and feedback.

    Hydra's overrides are for the training. With `once`, fetch the report and end, instead of running until Ctrl-C.
    """
    bucket, services = configure_services(ports)
    backend, page, report = services
    if not is_published(bucket):
        _train(overrides)
    pictures = labelled_pictures(bucket)
    with expect_interrupt(), Supervisor(services, Console(highlight=False)) as supervisor:
        supervisor.wait_until_ready()
        supervisor.wait_until(lambda: responds(f"{backend.url}/readyz"), "The backend has no model that it can serve.")
        client = Backend(_connect("The backend", backend))
        counts = send(client, pictures, after_each=supervisor.check)
        supervisor.wait_until(lambda: any(bucket.names("predictions/")), "The backend did not store its predictions.")
        supervisor.print(_describe(counts))
        if once:
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


def _train(overrides: Sequence[str]) -> None:
    """Train on the sample, in a process that ends with this one."""
    training = start("animals", "train", "experiment=sample", *overrides, environment=os.environ)
    try:
        code = training.wait()
    except KeyboardInterrupt:
        request_end(training)  # it writes a checkpoint
        training.wait()
        raise
    if code:
        raise AnimalsError(f"The training ended with exit code {code}. Its output above gives the reason.")
