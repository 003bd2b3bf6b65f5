"""Every role of every service account, with its reason, on the narrowest resource that works.

A test compares the table in docs/design/cloud.md with this one.
"""

from dataclasses import dataclass
from typing import Final

from animals.cloud.target import Account


@dataclass(frozen=True, slots=True)
class Grant:
    """One role of one account."""

    account: Account
    role: str
    """Without `roles/`."""
    on: str
    """A resource, by the name that `accounts.py` understands."""
    why: str
    under: str = ""
    """Prefix of the objects in a bucket; all by default."""

    @property
    def row(self) -> str:
        """Row of the table in the documentation."""
        return f"| {self.account} | `{self.role}` | {self.on}{f' `{self.under}`' if self.under else ''} | {self.why} |"


_NAMES = "the names of objects, without which a missing one cannot be told from a forbidden one; not their contents"

GRANTS: Final[tuple[Grant, ...]] = (
    Grant("trainer", "storage.objectViewer", "pictures", "it trains on them"),
    Grant("trainer", "storage.legacyBucketReader", "bucket", _NAMES),
    Grant("trainer", "storage.objectViewer", "bucket", "the served version, to compare with", "models/"),
    Grant("trainer", "storage.objectCreator", "bucket", "a new version, but no changes to old ones", "models/"),
    Grant("trainer", "storage.objectUser", "bucket", "which version serves", "models/current.json"),
    Grant("trainer", "storage.objectUser", "bucket", "checkpoints, so that it can resume", "runs/"),
    Grant("trainer", "storage.objectViewer", "bucket", "pictures with consent, to train on", "feedback/"),
    Grant("trainer", "storage.objectViewer", "bucket", "the feedback on them", "compacted/feedback/"),
    Grant("trainer", "secretmanager.secretAccessor", "W&B key", "it logs its runs there"),
    Grant("trainer", "secretmanager.secretAccessor", "GitHub token", "it announces a new version at GitHub"),
    Grant("trainer", "logging.logWriter", "project", "its log"),
    Grant("backend", "storage.legacyBucketReader", "bucket", _NAMES),
    Grant("backend", "storage.objectViewer", "bucket", "the model", "models/"),
    Grant("backend", "storage.objectCreator", "bucket", "the prediction log", "predictions/"),
    Grant("backend", "storage.objectUser", "bucket", "later feedback replaces earlier feedback", "feedback/"),
    Grant("backend", "secretmanager.secretAccessor", "signing key", "it signs prediction ids"),
    Grant("report", "storage.legacyBucketReader", "bucket", _NAMES),
    Grant("report", "storage.objectViewer", "bucket", "the predictions for the test pictures", "models/"),
    Grant("report", "storage.objectUser", "bucket", "reads them, and deletes what it has compacted", "predictions/"),
    Grant("report", "storage.objectUser", "bucket", "the same", "feedback/"),
    Grant("report", "storage.objectUser", "bucket", "one table a day", "compacted/"),
    Grant("report", "storage.objectUser", "bucket", "reports", "reports/"),
    Grant("report", "storage.objectUser", "bucket", "training requests", "retrain/"),
    Grant("report", "pubsub.publisher", "topic", "the retrain check requests a training"),
    Grant("report", "run.invoker", "job animals-check", "Cloud Scheduler starts the check in its name"),
    Grant("deployer", "artifactregistry.writer", "images", "pushes images"),
    Grant("deployer", "ondemandscanning.admin", "project", "scans them for known vulnerabilities"),
    Grant("deployer", "logging.logWriter", "project", "the log of its builds"),
    Grant("deployer", "run.admin", "project", "deploys services, and says who may call them"),
    Grant(
        "deployer", "run.sourceDeveloper", "project", "sends the source of the report function, and starts its build"
    ),
    Grant("deployer", "run.builder", "project", "builds it"),
    Grant("deployer", "serviceusage.serviceUsageConsumer", "project", "needed to upload source"),
    Grant("deployer", "logging.viewer", "project", "reads the statuses of a new revision"),
    Grant("deployer", "storage.objectViewer", "pictures", "a workflow verifies a new version with them"),
    Grant("deployer", "storage.legacyBucketReader", "bucket", _NAMES),
    Grant("deployer", "storage.objectViewer", "bucket", "a workflow tests a new version", "models/"),
    Grant("deployer", "storage.objectUser", "bucket", "and promotes it", "models/current.json"),
    Grant("deployer", "aiplatform.user", "project", "starts trainings"),
    Grant("deployer", "iam.serviceAccountUser", "account trainer", "a training that it starts runs as this"),
    Grant("deployer", "iam.serviceAccountUser", "account backend", "a service that it deploys runs as this"),
    Grant("deployer", "iam.serviceAccountUser", "account frontend", "the same"),
    Grant("deployer", "iam.serviceAccountUser", "account report", "the same"),
    Grant("deployer", "iam.serviceAccountUser", "account deployer", "a build that it starts runs as itself"),
    Grant("deployer", "iam.serviceAccountTokenCreator", "account deployer", "authenticates itself in smoke tests"),
    Grant("reader", "storage.objectViewer", "pictures", "a workflow looks at the pictures of a change"),
)
