"""Names of everything in the cloud, derived from a project and a region."""

import re
from dataclasses import dataclass
from typing import Final, Literal, get_args

from animals.errors import ConfigError

Image = Literal["train", "train_gpu", "api", "frontend", "report"]
Account = Literal["trainer", "backend", "frontend", "report", "deployer", "reader"]
Part = Literal["backend", "report", "frontend", "check"]
"""Of a deployment, in this order: the page needs the addresses of the other two services."""
Secret = Literal["animals-signing-key", "animals-wandb-key", "animals-github-token"]

ACCOUNTS: Final[tuple[Account, ...]] = get_args(Account)

REPOSITORY: Final = "animals"
"""Repository in Artifact Registry."""

BACKEND: Final = "animals-backend"
"""Service on Cloud Run, as are the next two."""
FRONTEND: Final = "animals-frontend"
REPORT: Final = "animals-report"
CHECK: Final = "animals-check"
"""Job on Cloud Run, and its daily schedule in Cloud Scheduler."""

TOPIC: Final = "animals-retrain"
"""Topic in Pub/Sub: a message requests a training."""

SIGNING_KEY: Final = "animals-signing-key"
"""Secret in Secret Manager, as are the next two."""
WANDB_KEY: Final = "animals-wandb-key"
GITHUB_TOKEN: Final = "animals-github-token"  # noqa: S105 - the name of a secret, not its value

POOL: Final = "github"
"""Pool of Workload Identity Federation: workflows at GitHub act as service accounts without a key."""
PROVIDER: Final = "github"

BUILD_TRIGGER: Final = "animals-build"
"""Trigger in Cloud Build, as is the next."""
RETRAIN_TRIGGER: Final = "animals-retrain"

PREFIX: Final = "animals/"
"""Prefix of the names of alert policies, uptime checks and dashboards."""

DEFAULT_REGION: Final = "europe-west1"

_PROJECT: Final = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
_REGION: Final = re.compile(r"[a-z]+-[a-z]+[0-9]+")
_TAG: Final = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


@dataclass(kw_only=True, slots=True, frozen=True)
class Target:
    """A project and a region, and the names derived from them.

    Raises:
        ConfigError: Google does not allow such a project or region.
    """

    project: str
    """The project's ID, not its number or title."""
    region: str = DEFAULT_REGION

    def __post_init__(self) -> None:
        if not _PROJECT.fullmatch(self.project):
            raise ConfigError(
                f"{self.project!r} is not a project ID; expected 6 to 30 lowercase letters, digits and hyphens, a "
                "letter first and no hyphen last. See `gcloud projects list`."
            )
        if "google" in self.project:
            raise ConfigError(
                f"{self.project!r} cannot be used: bucket names must not contain google, and those of this project "
                "would. Choose another project."
            )
        if not _REGION.fullmatch(self.region):
            raise ConfigError(
                f"{self.region!r} is not a region; expected one such as {DEFAULT_REGION}, without the letter of a "
                "zone. See `gcloud run regions list`."
            )

    @property
    def bucket(self) -> str:
        """URL of the bucket for models, feedback, predictions, reports and runs: ANIMALS_BUCKET of each service."""
        return f"gs://{self.project}-animals"

    @property
    def data_bucket(self) -> str:
        """URL of the bucket for pictures, which DVC manages."""
        return f"gs://{self.project}-animals-data"

    @property
    def registry(self) -> str:
        """Repository of container images."""
        return f"{self.region}-docker.pkg.dev/{self.project}/{REPOSITORY}"

    def image(self, name: Image, tag: str) -> str:
        """Return the full name of an image.

        Raises:
            ConfigError: the tag is invalid.
        """
        if not _TAG.fullmatch(tag):
            raise ConfigError(f"{tag!r} is not an image tag; expected letters, digits, dots and hyphens.")
        return f"{self.registry}/{name}:{tag}"

    def account(self, name: Account) -> str:
        """Return the email address of a service account."""
        return f"animals-{name}@{self.project}.iam.gserviceaccount.com"

    @property
    def topic(self) -> str:
        """Full name of the topic for training requests."""
        return f"projects/{self.project}/topics/{TOPIC}"

    @property
    def trigger(self) -> str:
        """ANIMALS_TRIGGER of the retrain check."""
        return f"pubsub://{self.topic}"

    def secret(self, name: Secret) -> str:
        """Return the full name of a secret's newest version."""
        return f"projects/{self.project}/secrets/{name}/versions/latest"
