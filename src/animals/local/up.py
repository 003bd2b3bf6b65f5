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
    """Start backend, page and report function, and show their output until Ctrl-C.

    Raises:
        ConfigError: a setting is impossible.
        AnimalsError: one of them ended by itself.
    """
    bucket, services = configure_services(ports)
    with stopped_by_ctrl_c(), Supervisor(services, Console(highlight=False)) as running:
        running.wait_until_ready()
        if not is_published(bucket):
            running.say("No model is published yet: invoke train makes one, and it serves as soon as it is there.")
        running.say("All run. Ctrl-C stops them.")
        running.watch()


def configure_services(ports: Ports) -> tuple[Storage, tuple[Service, Service, Service]]:
    """Return the bucket, and backend, page and report function over it.

    Raises:
        ConfigError: a setting is impossible.
    """
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
def stopped_by_ctrl_c() -> Iterator[None]:
    """Treat Ctrl-C as the normal end."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("\nAll are stopped.\n")
