"""`animals up`: backend, page and report function on this machine.

The bucket is that of ANIMALS_BUCKET. Ctrl-C stops all; if one ends by itself, so do the others, with exit code 1.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from animals import registry
from animals.config.settings import read_settings
from animals.errors import NoModel
from animals.local.secret import local_secret
from animals.local.services import Ports, Service, local_services
from animals.local.supervisor import Supervisor
from animals.serving.settings import BackendSettings
from animals.storage import Storage, open_storage


def up(ports: Ports) -> None:
    """Start backend, page and report function, and show their output until Ctrl-C."""
    bucket, services = configure_services(ports)
    with expect_interrupt(), Supervisor(services, Console(highlight=False)) as supervisor:
        supervisor.wait_until_ready()
        if not is_published(bucket):
            supervisor.print("No model is published yet. Run: invoke train. The backend then serves it by itself.")
        supervisor.print("All services run. Ctrl-C stops them.")
        supervisor.run_until_signal()


def configure_services(ports: Ports) -> tuple[Storage, tuple[Service, Service, Service]]:
    """Return the bucket, and backend, page and report function on it."""
    settings = read_settings(BackendSettings)
    secret = settings.secret.get_secret_value() if settings.secret else local_secret()
    return open_storage(settings.bucket), local_services(settings.bucket, secret, ports)


def is_published(bucket: Storage) -> bool:
    """Return whether a version serves."""
    try:
        registry.read_current(bucket)
    except NoModel:
        return False
    return True


@contextmanager
def expect_interrupt() -> Iterator[None]:
    """Treat Ctrl-C as the normal end of the block."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\nAll services are stopped.\n")
