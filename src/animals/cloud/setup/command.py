"""`invoke gcp-setup`: check each resource that the project needs, and create it if it is missing."""

import re
from typing import Final

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup import accounts, alerting, automation, buckets, federation, images, project, secrets
from animals.cloud.setup.steps import Setup, Step, run_steps
from animals.cloud.target import Target
from animals.cloud.template import FILES
from animals.errors import ConfigError

STEPS: Final = (
    Step("Project", project.project, required=True),
    Step("APIs", project.apis, required=True),
    Step("Bucket for models, feedback, predictions and reports", buckets.animals),
    Step("Bucket for pictures", buckets.pictures),
    Step("Repository for images", images.repository),
    Step("Secrets", secrets.secrets),
    Step("Topic for training requests", automation.topic),
    Step("Service accounts", accounts.accounts, required=True),
    Step("Roles of the service accounts", accounts.grants),
    Step("Log-in of GitHub's workflows without a key", federation.pool),
    Step("Accounts of GitHub's workflows", federation.members),
    Step("Builds on a push and trainings on a message", automation.triggers),
    Step("The daily check", automation.schedule),
    Step("Alert channel", alerting.channel),
    Step("Metrics from the log", alerting.metrics),
    Step("Alerts", alerting.alerts),
    Step("Dashboard", alerting.dashboard),
    Step("Uptime check of the page", alerting.uptime),
)
"""In this order: accounts exist before their roles, and a topic before its trigger."""

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)


def set_up(target: Target, gcloud: Gcloud, *, github: str = "", email: str = "") -> None:
    """Create what the project lacks, with access for the workflows of `github` and alerts to `email`, if given.

    Raises:
        ConfigError: an argument is impossible.
        CloudError: a step failed; the others were done, unless they depend on it.
    """
    if github and not _REPOSITORY.fullmatch(github):
        raise ConfigError(f"--github is {github!r}; expected OWNER/REPO, without https:// and .git.")
    if email and not _ADDRESS.fullmatch(email):
        raise ConfigError(f"--email is {email!r}; expected an address such as somebody@example.org.")
    if not FILES.is_dir():
        raise ConfigError(f"{FILES} does not exist. Run this in a checkout of the repository.")
    run_steps(STEPS, Setup(target, gcloud, github=github, email=email))
