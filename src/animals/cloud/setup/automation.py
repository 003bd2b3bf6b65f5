"""What goes by itself: builds on a push, a check every day, a training when it asks for one."""

from collections.abc import Iterator
from typing import Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup
from animals.cloud.target import BUILD_TRIGGER, CHECK, RETRAIN_TRIGGER, TOPIC

BRANCH: Final = r"--branch-pattern=\Amain\z"
"""Which is that of ^main$, whose first letter is taken away on Windows on its way through gcloud.cmd."""

SCHEDULE: Final = "0 5 * * *"
"""Every day at five, UTC: a day's records are complete then."""


def topic(setup: Setup) -> Iterator[Command]:
    """By whose messages a training is asked for."""
    group = ("pubsub", "topics")
    if not setup.gcloud.exists(setup.command("see whether the topic is there", *group, "describe", TOPIC)):
        yield setup.command("make the topic that asks for a training", *group, "create", TOPIC)


def triggers(setup: Setup) -> Iterator[Command]:
    """Both run as the deployer: a push to main builds and deploys, a message to the topic trains."""
    if not setup.github:
        setup.left.append("Give --github OWNER/REPO if a push is to build, and a message to train.")
        return
    group, where = ("builds", "triggers"), f"--region={setup.place.region}"
    ask = setup.command("see which triggers there are", *group, "list", where, "--format=value(name)")
    there = set(setup.gcloud.output(ask).split())
    email = setup.place.account("deployer")
    run_as = f"--service-account=projects/{setup.place.project}/serviceAccounts/{email}"
    region = f"--substitutions=_REGION={setup.place.region}"
    owner, _, name = setup.github.partition("/")
    if BUILD_TRIGGER not in there:
        yield setup.command(
            "build and deploy what is pushed to main",
            *(*group, "create", "github", f"--name={BUILD_TRIGGER}", where, f"--repo-owner={owner}"),
            *(f"--repo-name={name}", BRANCH, "--build-config=cloudbuild_files/build.yaml"),
            *(f"{region},_TRAIN_GPU=true", run_as),  # which the next trigger asks for
        )
    if RETRAIN_TRIGGER not in there:
        repository = (f"--repo=https://github.com/{setup.github}", "--repo-type=GITHUB", "--branch=main")
        yield setup.command(
            "train when the topic says so",
            *(*group, "create", "pubsub", f"--name={RETRAIN_TRIGGER}", where, f"--topic={setup.place.topic}"),
            *(*repository, "--build-config=cloudbuild_files/retrain.yaml", run_as),
            f"{region},_REQUEST=$(body.message.data.id),_ANNOUNCE=github://{setup.github}",
        )


def schedule(setup: Setup) -> Iterator[Command]:
    """The daily check. Its job may not be deployed yet: until then each start fails, and nothing else."""
    group, where = ("scheduler", "jobs"), (CHECK, f"--location={setup.place.region}")
    uri = (
        f"https://run.googleapis.com/v2/projects/{setup.place.project}/locations/{setup.place.region}/jobs/{CHECK}:run"
    )
    email = setup.place.account("report")
    settings = (
        *(f"--schedule={SCHEDULE}", "--time-zone=Etc/UTC", f"--uri={uri}", "--http-method=post"),
        *(f"--oauth-service-account-email={email}", "--attempt-deadline=60s", "--max-retry-attempts=3"),
    )
    found = setup.gcloud.find(setup.command("see when the check is started", *group, "describe", *where))
    if found is None:
        yield setup.command("start the check every day", *group, "create", "http", *where, *settings)
        return
    target = found.get("httpTarget", {})
    there = (found.get("schedule"), target.get("uri"), target.get("oauthToken", {}).get("serviceAccountEmail"))
    if there != (SCHEDULE, uri, email):
        yield setup.command("start the check every day as it should be", *group, "update", "http", *where, *settings)
