"""The services of this machine: their modules, ports and environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

HOST: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """A service that listens on the port in `PORT`."""

    name: str
    module: str
    """As after `python -m`."""
    port: int
    health: str
    """Path of a cheap request, which succeeds when the service runs."""
    home: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables in addition to those of this process."""

    @property
    def url(self) -> str:
        """URL without a path."""
        return f"http://{HOST}:{self.port}"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports that the services listen on."""

    backend: int
    page: int
    report: int


def local_services(bucket: str, secret: str, ports: Ports) -> tuple[Service, Service, Service]:
    """Return backend, page and report function on one bucket, with the URLs of one another in their environment."""
    backend = Service(
        "backend",
        "animals.serving",
        ports.backend,
        health="/healthz",
        home="/docs",
        environment={
            "ANIMALS_BUCKET": bucket,
            "ANIMALS_SECRET": secret,
            "ANIMALS_PREDICTIONS_SECONDS": "2",  # so that a new prediction is in the next report
        },
    )
    report = Service(
        "report",
        "animals.monitoring",
        ports.report,
        health="/healthz",
        home="/generate_performance_report",
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
