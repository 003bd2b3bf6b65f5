"""Versions of the model."""

from invoke.context import Context
from invoke.tasks import task

from tasking.shell import options, python


@task(
    positional=["folder"],
    help={"folder": "a finished run's folder under runs/", "no-promote": "do not let it serve"},
)
def publish(_: Context, folder: str, no_promote: bool = False) -> None:
    """Publish a finished run again.

    For instance when the bucket was out of reach at the end of a training.

    For example: invoke publish runs/20261124-142154-sample --no-promote
    """
    python("animals.training.release.publish", folder, *options(no_promote=no_promote))


@task(positional=["version"], help={"version": "a published version"})
def announce(_: Context, version: str) -> None:
    """Tell a repository of a version, which it tests and promotes.

    The repository is the one that ANIMALS_ANNOUNCE names, and its workflow does the rest.

    For example: invoke announce 20261124-142154-sample-095c35
    """
    python("animals.training.release.announce", version)


@task(
    name="check-version",
    positional=["version"],
    help={"version": "a published version", "into": "folder that becomes a bucket in which it serves"},
)
def check_version(_: Context, version: str, into: str = "build/candidate") -> None:
    """Fetch a published version and find out whether it may serve.

    Its checksums, labels and answers are looked at.

    For example: invoke check-version 20261124-142154-sample-095c35
    """
    python("animals.training.release.verify", version, "--into", into)


@task(
    help={
        "version": "a published version; by default the one that serves",
        "against": "another version to compare with; by default the one that serves",
        "pictures": "test pictures, at most, that are spoiled: each is asked about fifty times",
    }
)
def evaluate(_: Context, version: str = "current", against: str = "", pictures: int = 1000) -> None:
    """Measure what a published version is worth.

    The report on it is written into reports/versions/.

    For example: invoke evaluate --version 20261124-142154-sample-095c35 --pictures 200
    """
    python("animals.training.evaluation", version, *options(against=against, pictures=pictures))


@task(
    help={
        "version": "a published version; by default the one that serves",
        "pictures": "test pictures, at most, that each form answers",
        "channels": "part of the channels that is pruned",
        "epochs": "of training after pruning",
    }
)
def optimize(
    _: Context, version: str = "current", pictures: int = 1000, channels: float = 0.3, epochs: int = 2
) -> None:
    """Compare size, speed and accuracy of a version's forms.

    They are torch, ONNX, 8 bits and pruned; the report is written into reports/versions/.

    For example: invoke optimize --pictures 200 --epochs 1
    """
    python("animals.training.export.optimize", version, *options(pictures=pictures, channels=channels, epochs=epochs))


@task(
    positional=["version"],
    help={
        "version": "a published version",
        "reason": "why, which the pointer keeps",
        "force": "even if it is worse than the version that serves, or cannot be compared with it; needs a reason",
    },
)
def promote(_: Context, version: str, reason: str = "", force: bool = False) -> None:
    """Let a version serve, unless the one that does is better.

    Both are compared by their answers to the same test pictures.

    For example: invoke promote 20261124-142154-sample-095c35 --reason "better on photographs"
    """
    python("animals.training.release.promote", "promote", version, *options(reason=reason, force=force))


@task(help={"reason": "why, which the pointer keeps"})
def rollback(_: Context, reason: str = "") -> None:
    """Let the version serve again that did before.

    For example: invoke rollback --reason "mixes up cats and dogs since noon"
    """
    python("animals.training.release.promote", "rollback", *options(reason=reason))
