"""The services of this machine: what each is started with, and where it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """One service, which listens on `PORT`."""

    name: str
    module: str
    """As after `python -m`."""
    port: int
    health: str
    """Path that is cheap to ask; any answer will do."""
    show: str = "/"
    """Path that a person begins with."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables besides those of this process."""

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the services listen."""

    backend: int
    page: int
    report: int


def local_services(bucket: str, secret: str, ports: Ports) -> tuple[Service, Service, Service]:
    """Backend, page and report function over one bucket, each of which knows the others' addresses."""
    backend = Service(
        "backend",
        "animals.serving",
        ports.backend,
        health="/healthz",
        show="/docs",
        environment={
            "ANIMALS_BUCKET": bucket,
            "ANIMALS_SECRET": secret,
            "ANIMALS_PREDICTIONS_SECONDS": "2",  # a person who has just asked wants to see it in the report
        },
    )
    report = Service(
        "report",
        "animals.monitoring",
        ports.report,
        health="/healthz",
        show="/generate_performance_report",
        environment={"ANIMALS_BUCKET": bucket},
    )
    page = Service(
        "page",
        "animals.frontend",
        ports.page,
        health="/_stcore/health",
        environment={"ANIMALS_BACKEND": backend.url, "ANIMALS_REPORT": report.url, "ANIMALS_MAINTAINER": "1"},
    )
    return backend, page, report
