"""`invoke gcp-setup`: check each resource that the project needs, and create it if it is missing."""

import argparse
import re
from typing import Final

from animals.cloud.gcloud import Gcloud
from animals.cloud.setup import accounts, alerting, automation, buckets, federation, images, project, secrets
from animals.cloud.setup.steps import Setup, Step, run_steps
from animals.cloud.target import Place
from animals.cloud.template import FILES
from animals.errors import ConfigError

STEPS: Final = (
    Step("Project", project.project, required=True),
    Step("APIs", project.apis, required=True),
    Step("Bucket for models, feedback, predictions and reports", buckets.animals),
    Step("Bucket for pictures", buckets.pictures),
    Step("Repository for images", images.repository),
    Step("Secrets", secrets.secrets),
    Step("Topic that asks for a training", automation.topic),
    Step("Service accounts", accounts.accounts, required=True),
    Step("What they may do", accounts.grants),
    Step("Log-in from GitHub without a key", federation.pool),
    Step("Who logs in as whom", federation.members),
    Step("Builds on a push and trainings on a message", automation.triggers),
    Step("The daily check", automation.schedule),
    Step("Who hears of alerts", alerting.channel),
    Step("Metrics from the log", alerting.metrics),
    Step("Alerts", alerting.alerts),
    Step("Dashboard", alerting.dashboard),
    Step("Whether the page answers", alerting.uptime),
)
"""In this order: accounts exist before their roles, and a topic before its trigger."""

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_ADDRESS: Final = re.compile(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", re.ASCII)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What there is to say beyond the place."""
    parser.add_argument("--github", default="", metavar="OWNER/REPO", help="whose workflows deploy and read pictures")
    parser.add_argument("--email", default="", metavar="ADDRESS", help="who hears of alerts")


def run(place: Place, gcloud: Gcloud, arguments: argparse.Namespace) -> None:
    """Set the project up.

    Raises:
        ConfigError: an argument is not what it should be.
        CloudError: something could not be made; the rest was, unless it needs it.
    """
    if arguments.github and not _REPOSITORY.fullmatch(arguments.github):
        raise ConfigError(f"--github is {arguments.github!r}; expected OWNER/REPO, without https:// and .git.")
    if arguments.email and not _ADDRESS.fullmatch(arguments.email):
        raise ConfigError(f"--email is {arguments.email!r}; expected an address such as somebody@example.org.")
    if not FILES.is_dir():
        raise ConfigError(f"{FILES} is not there, which says how things should be. Run this in a checkout.")
    run_steps(STEPS, Setup(place, gcloud, github=arguments.github, email=arguments.email))
