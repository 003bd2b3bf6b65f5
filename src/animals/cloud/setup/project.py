"""The project itself, and the APIs that it needs."""

from collections.abc import Iterator
from typing import Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup
from animals.errors import CloudError

APIS: Final = (
    "aiplatform",
    "artifactregistry",
    "cloudbuild",
    "cloudscheduler",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "ondemandscanning",
    "pubsub",
    "run",
    "secretmanager",
    "storage",
    "sts",
)
"""Each before `.googleapis.com`."""


def project(setup: Setup) -> Iterator[Command]:
    """Nothing is made: it must be there, and gcloud logged in."""
    setup.number = _number(setup)
    yield from ()


def _number(setup: Setup) -> str:
    found = setup.gcloud.read(
        Command(("gcloud", "projects", "describe", setup.place.project), "find the project's number")
    )
    if setup.gcloud.dry_run:
        setup.left.append("PROJECT_NUMBER above stands for the projectNumber that `gcloud projects describe` prints.")
        return setup.number
    if not isinstance(found, dict) or found.get("lifecycleState", "ACTIVE") != "ACTIVE":
        raise CloudError(
            f"The project {setup.place.project} is being deleted. Take it back with `gcloud projects undelete "
            f"{setup.place.project}`, or name another one."
        )
    return str(found["projectNumber"])


def apis(setup: Setup) -> Iterator[Command]:
    """Switched on; those that are no longer needed stay."""
    ask = setup.command("see which APIs are on", "services", "list", "--enabled", "--format=value(config.name)")
    on = set(setup.gcloud.output(ask).split())
    if missing := [api for api in (f"{name}.googleapis.com" for name in APIS) if api not in on]:
        yield setup.command("switch on the APIs", "services", "enable", *missing)
