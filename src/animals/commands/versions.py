"""Commands that work with published versions of the model."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import Argument, Option, Typer

from animals.errors import UsageError

if TYPE_CHECKING:
    from animals.records import Current
    from animals.storage import Storage

app = Typer()

Version = Annotated[str, Argument(help="a published version")]
VersionOption = Annotated[str, Option(help="a published version; by default the one that serves")]
Reason = Annotated[str, Option(help="reason, which the pointer keeps")]


def _bucket() -> "Storage":
    from animals.config.settings import BucketSettings, read_settings
    from animals.storage import open_storage

    return open_storage(read_settings(BucketSettings).bucket)


def _print_current(bucket: "Storage", current: "Current") -> None:
    previous = f", instead of {current.previous}" if current.previous else ""
    sys.stdout.write(f"{current.version} serves in {bucket.url} from now on{previous}: {current.reason}.\n")


@app.command()
def publish(
    folder: Annotated[Path, Argument(help="a finished run's folder under runs/")],
    no_promote: Annotated[bool, Option("--no-promote", help="publish it without promoting it")] = False,
) -> None:
    """Publish a finished run again.

    Use it when the bucket could not be reached at the end of a training.

    For example: animals publish runs/20261124-142154-sample --no-promote
    """
    from animals.training.release.announce import try_announce
    from animals.training.release.publish import publish

    bucket = _bucket()
    card = publish(folder, bucket, promote=not no_promote)
    sys.stdout.write(f"{card.version} is published in {bucket.url}.\n{try_announce(card.version, bucket.url)}")


@app.command()
def announce(version: Version) -> None:
    """Announce a version to a repository that tests it.

    The repository is the one that ANIMALS_ANNOUNCE names; its workflow tests and promotes the version.

    For example: animals announce 20261124-142154-sample-095c35
    """
    from animals.training.release.announce import announce_published

    sys.stdout.write(announce_published(version))


@app.command()
def check_version(
    version: Version,
    into: Annotated[Path, Option(help="folder that becomes a bucket in which it serves")] = Path("build/candidate"),
) -> None:
    """Fetch a published version and find out whether it may serve.

    The checksums, labels and answers are checked.

    For example: animals check-version 20261124-142154-sample-095c35
    """
    from animals.training.release.verify import fetch, verify

    bucket = _bucket()
    card = fetch(bucket, version, into)
    sys.stdout.writelines(f"{line}\n" for line in verify(bucket, card, into))
    sys.stdout.write(f"{card.version} may serve. To try it: ANIMALS_BUCKET={into} uv run invoke serve\n")


@app.command()
def evaluate(
    version: VersionOption = "current",
    against: Annotated[str, Option(help="another version to compare with; by default the one that serves")] = "",
    pictures: Annotated[
        int, Option(min=1, help="test pictures, at most, that are corrupted: each is predicted about fifty times")
    ] = 1000,
) -> None:
    """Measure how good a published version is.

    The report is written into reports/versions/.

    For example: animals evaluate --version 20261124-142154-sample-095c35 --pictures 200
    """
    from animals.training.evaluation.evaluate import evaluate_version

    sys.stdout.write(evaluate_version(_bucket(), version, against or None, pictures=pictures))


def _parse_sides(text: str) -> list[int]:
    """Return the numbers of a text such as "160,192"."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise UsageError(f'--sides is "{text}"; expected numbers of pixels, as in 160,192.') from error


@app.command()
def optimize(
    version: VersionOption = "current",
    pictures: Annotated[int, Option(min=1, help="test pictures, at most, that each form predicts")] = 1000,
    channels: Annotated[float, Option(min=0.01, max=0.99, help="fraction of the channels that is pruned")] = 0.3,
    epochs: Annotated[int, Option(min=1, help="epochs of training after pruning")] = 2,
    sides: Annotated[
        str, Option(help="compare the network at these sides in pixels instead, as 160,192: its head is fitted anew")
    ] = "",
    publish: Annotated[
        bool, Option("--publish", help="with --sides: publish the fastest that is not significantly worse")
    ] = False,
) -> None:
    """Compare size, speed and accuracy of a version's forms.

    They are torch, ONNX, 8 bits and pruned; the report is written into reports/versions/.

    For example: animals optimize --pictures 200 --epochs 1
    """
    if sides:
        from animals.training.transfer.sides import compare_sides

        sys.stdout.write(compare_sides(_bucket(), version, _parse_sides(sides), pictures=pictures, publish=publish))
        return
    if publish:
        raise UsageError("--publish needs --sides: the other forms serve already where they are good enough.")
    from animals.training.export.optimize import compare_forms

    sys.stdout.write(compare_forms(_bucket(), version, pictures=pictures, channels=channels, epochs=epochs))


@app.command()
def promote(
    version: Version,
    reason: Reason = "",
    force: Annotated[
        bool,
        Option(
            "--force",
            help="promote it even if it is worse than the serving version, or cannot be compared; needs --reason",
        ),
    ] = False,
) -> None:
    """Promote a version, unless the one that serves is better.

    The gate compares their answers to the same test pictures.

    For example: animals promote 20261124-142154-sample-095c35 --reason "better on photographs"
    """
    from animals.training.release.promote import promote

    bucket = _bucket()
    _print_current(bucket, promote(bucket, version, reason=reason, force=force))


@app.command()
def rollback(reason: Reason = "rolled back by hand") -> None:
    """Let the previous version serve again.

    For example: animals rollback --reason "mixes up cats and dogs since noon"
    """
    from animals import registry

    bucket = _bucket()
    _print_current(bucket, registry.rollback(bucket, reason=reason))


@app.command()
def classify(
    pictures: Annotated[
        list[str], Argument(metavar="PICTURES", help='folders, files, "patterns/**/*.jpg" or gs://name/prefix')
    ],
    out: Annotated[Path, Option(help="table to write, such as predictions.parquet")],
    version: VersionOption = "current",
    workers: Annotated[int | None, Option(min=1, help="processes [one for each CPU]")] = None,
    engine: Annotated[Literal["local", "ray"], Option(help="processes of this machine, or a Ray cluster")] = "local",
) -> None:
    """Classify any number of pictures into a Parquet table.

    The same command resumes an interrupted one: pictures that have a prediction already are skipped.

    For example: animals classify photos --out predictions.parquet
    """
    from animals.bulk.classify import classify

    classify(pictures, out, version=version, workers=workers, engine=engine)
