"""What everything in the cloud is called: one place, from which each name follows."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from animals.errors import ConfigError

Image = Literal["train", "train_gpu", "api", "frontend", "report"]
Account = Literal["trainer", "backend", "frontend", "report", "deployer", "reader"]
Part = Literal["backend", "report", "frontend", "check"]
"""Of a deployment, in this order: the page needs the addresses of the other two services."""
Secret = Literal["animals-signing-key", "animals-wandb-key", "animals-github-token"]

ACCOUNTS: Final[tuple[Account, ...]] = ("trainer", "backend", "frontend", "report", "deployer", "reader")

REPOSITORY: Final = "animals"
"""In Artifact Registry."""

BACKEND: Final = "animals-backend"
"""A service on Cloud Run, as are the next two."""
FRONTEND: Final = "animals-frontend"
REPORT: Final = "animals-report"
CHECK: Final = "animals-check"
"""A job on Cloud Run, and what starts it every day in Cloud Scheduler."""

TOPIC: Final = "animals-retrain"
"""In Pub/Sub: a message asks for a training."""

SIGNING_KEY: Final = "animals-signing-key"
"""In Secret Manager, as are the next two."""
WANDB_KEY: Final = "animals-wandb-key"
GITHUB_TOKEN: Final = "animals-github-token"  # noqa: S105 - the name of a secret, not its value

POOL: Final = "github"
"""Of Workload Identity Federation, by which workflows at GitHub become service accounts without a key."""
PROVIDER: Final = "github"

BUILD_TRIGGER: Final = "animals-build"
"""In Cloud Build, as is the next."""
RETRAIN_TRIGGER: Final = "animals-retrain"

PREFIX: Final = "animals/"
"""Begins the name of each alert policy, uptime check and dashboard."""

DEFAULT_REGION: Final = "europe-west1"

_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(kw_only=True, slots=True, frozen=True)
class Place:
    """A project and a region, and what is named after them.

    Raises:
        ConfigError: Google refuses such a project or region.
    """

    project: str
    """The project's ID, not its number or title."""
    region: str = DEFAULT_REGION

    def __post_init__(self) -> None:
        if not _PROJECT.fullmatch(self.project):
            raise ConfigError(
                f"{self.project!r} is no project ID; expected 6 to 30 small letters, digits and hyphens, with a letter "
                "first and no hyphen last. See `gcloud projects list`."
            )
        if "google" in self.project:
            raise ConfigError(
                f"{self.project!r} cannot be the project: its buckets would have google in their names, which is "
                "refused. Take another project."
            )
        if not _REGION.fullmatch(self.region):
            raise ConfigError(
                f"{self.region!r} is no region; expected one such as {DEFAULT_REGION}, without the letter of a zone. "
                "See `gcloud run regions list`."
            )

    @property
    def bucket(self) -> str:
        """Models, feedback, predictions, reports and runs: ANIMALS_BUCKET of each service."""
        return f"gs://{self.project}-animals"

    @property
    def data_bucket(self) -> str:
        """Pictures, where DVC keeps them."""
        return f"gs://{self.project}-animals-data"

    @property
    def registry(self) -> str:
        """Of container images."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{REPOSITORY}"

    def image(self, name: Image, tag: str) -> str:
        """Where an image is, by the name of its Dockerfile.

        Raises:
            ConfigError: no image can have such a tag.
        """
        if not _TAG.fullmatch(tag):
            raise ConfigError(f"{tag!r} is no tag of an image; expected letters, digits, dots and hyphens.")
        return f"{self.registry}/{name}:{tag}"

    def account(self, name: Account) -> str:
        """The service account's address."""
        return f"animals-{name}@{self.project}.iam.gserviceaccount.com"

    @property
    def topic(self) -> str:
        """The full name of the topic that asks for a training."""
        return f"projects/{self.project}/topics/{TOPIC}"

    @property
    def trigger(self) -> str:
        """ANIMALS_TRIGGER of the check."""
        return f"pubsub://{self.topic}"

    def secret(self, name: Secret) -> str:
        """The full name of a secret's newest version: ANIMALS_SECRET_NAME, for instance."""
        return f"projects/{self.project}/secrets/{name}/versions/latest"
