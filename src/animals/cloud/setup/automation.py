"""Automation: builds on a push, a retrain check every day, and a training when it requests one."""

from collections.abc import Iterator
from typing import Final

from animals.cloud.gcloud import Command
from animals.cloud.setup.steps import Setup
from animals.cloud.target import BUILD_TRIGGER, CHECK, RETRAIN_TRIGGER, TOPIC

BRANCH: Final = r"--branch-pattern=\Amain\z"
"""Same as ^main$, whose first character gcloud.cmd removes on Windows."""

SCHEDULE: Final = "0 5 * * *"
"""Every day at 5:00 UTC: the records of the day before are complete then."""


def topic(setup: Setup) -> Iterator[Command]:
    """Create the topic for training requests."""
    group = ("pubsub", "topics")
    if setup.gcloud.find(setup.command("check whether the topic exists", *group, "describe", TOPIC)) is None:
        yield setup.command("create the topic for training requests", *group, "create", TOPIC)


def triggers(setup: Setup) -> Iterator[Command]:
    """Create the triggers: a push to main builds and deploys, a message to the topic trains, both as the deployer."""
    if not setup.github:
        setup.todo.append("Pass --github OWNER/REPO to build on a push, and to train on a message.")
        return
    group, where = ("builds", "triggers"), f"--region={setup.target.region}"
    command = setup.command("list the triggers", *group, "list", where, "--format=value(name)")
    existing = set(setup.gcloud.output(command).split())
    email = setup.target.account("deployer")
    run_as = f"--service-account=projects/{setup.target.project}/serviceAccounts/{email}"
    region = f"--substitutions=_REGION={setup.target.region}"
    owner, _, name = setup.github.partition("/")
    if BUILD_TRIGGER not in existing:
        yield setup.command(
            "build and deploy on a push to main",
            *(*group, "create", "github", f"--name={BUILD_TRIGGER}", where, f"--repo-owner={owner}"),
            *(f"--repo-name={name}", BRANCH, "--build-config=cloudbuild_files/build.yaml"),
            *(f"{region},_TRAIN_GPU=true", run_as),  # the next trigger uses this image
        )
    if RETRAIN_TRIGGER not in existing:
        repository = (f"--repo=https://github.com/{setup.github}", "--repo-type=GITHUB", "--branch=main")
        yield setup.command(
            "train on a message to the topic",
            *(*group, "create", "pubsub", f"--name={RETRAIN_TRIGGER}", where, f"--topic={setup.target.topic}"),
            *(*repository, "--build-config=cloudbuild_files/retrain.yaml", run_as),
            f"{region},_REQUEST=$(body.message.data.id),_ANNOUNCE=github://{setup.github}",
        )


def schedule(setup: Setup) -> Iterator[Command]:
    """Create the schedule of the retrain check, whose starts fail until its job is deployed."""
    group, where = ("scheduler", "jobs"), (CHECK, f"--location={setup.target.region}")
    uri = f"https://run.googleapis.com/v2/projects/{setup.target.project}/locations/{setup.target.region}/jobs/{CHECK}:run"
    email = setup.target.account("report")
    settings = (
        *(f"--schedule={SCHEDULE}", "--time-zone=Etc/UTC", f"--uri={uri}", "--http-method=post"),
        *(f"--oauth-service-account-email={email}", "--attempt-deadline=60s", "--max-retry-attempts=3"),
    )
    existing = setup.gcloud.find(setup.command("read the schedule of the check", *group, "describe", *where))
    if existing is None:
        yield setup.command("start the check every day", *group, "create", "http", *where, *settings)
        return
    target = existing.get("httpTarget", {})
    actual = (existing.get("schedule"), target.get("uri"), target.get("oauthToken", {}).get("serviceAccountEmail"))
    if actual != (SCHEDULE, uri, email):
        yield setup.command("update the schedule of the check", *group, "update", "http", *where, *settings)
