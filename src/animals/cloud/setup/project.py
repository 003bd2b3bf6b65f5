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
"""Names of APIs, without `.googleapis.com`."""


def project(setup: Setup) -> Iterator[Command]:
    """Check that the project exists and gcloud is logged in, and read its number; yield nothing."""
    yield from ()
    command = Command(("gcloud", "projects", "describe", setup.target.project), "read the project's number")
    description = setup.gcloud.read(command)
    if setup.gcloud.dry_run:
        setup.todo.append("Replace PROJECT_NUMBER above by the projectNumber that `gcloud projects describe` prints.")
        return
    if not isinstance(description, dict) or description.get("lifecycleState", "ACTIVE") != "ACTIVE":
        raise CloudError(
            f"The project {setup.target.project} is being deleted. Restore it with `gcloud projects undelete "
            f"{setup.target.project}`, or use another one."
        )
    setup.number = str(description["projectNumber"])


def apis(setup: Setup) -> Iterator[Command]:
    """Enable missing APIs; others stay enabled."""
    command = setup.command("list the enabled APIs", "services", "list", "--enabled", "--format=value(config.name)")
    enabled = set(setup.gcloud.output(command).split())
    if missing := [api for api in (f"{name}.googleapis.com" for name in APIS) if api not in enabled]:
        yield setup.command("enable the APIs", "services", "enable", *missing)
