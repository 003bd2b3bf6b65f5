"""`python -m animals.training.export.optimize VERSION`: what other forms of a published version would give."""

import argparse
import sys

from animals.cli import exit_on_error
from animals.config.settings import BucketSettings, read_settings
from animals.storage import Storage, open_storage


def main() -> None:
    """Compare forms of a published version, and write reports/versions/VERSION/optimize.md."""
    arguments = parser().parse_args()
    with exit_on_error():
        storage = open_storage(arguments.bucket or read_settings(BucketSettings).bucket)
        given = {"pictures": arguments.pictures, "channels": arguments.channels, "epochs": arguments.epochs}
        sys.stdout.write(compare(storage, arguments.version, **given))


def parser() -> argparse.ArgumentParser:
    """What may stand on the command line."""
    made = argparse.ArgumentParser(prog="python -m animals.training.export.optimize", description=main.__doc__)
    made.add_argument("version", nargs="?", default="current", help="a version; by default the one that serves")
    made.add_argument("--bucket", help="a folder or gs://name/prefix; by default $ANIMALS_BUCKET")
    made.add_argument(
        "--pictures", type=_positive, default=1000, help="test pictures, at most, that each form answers (1000)"
    )
    made.add_argument("--channels", type=_part, default=0.3, help="part of the channels that is pruned (0.3)")
    made.add_argument("--epochs", type=_positive, default=2, help="of training after pruning (2)")
    return made


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number; expected 1 or more")
    return int(text)


def _part(text: str) -> float:
    try:
        part = float(text)
    except ValueError:
        part = 0.0
    if not 0 < part < 1:
        raise argparse.ArgumentTypeError(f"{text} is no part; expected more than 0 and less than 1, such as 0.3")
    return part


def compare(storage: Storage, version: str, *, pictures: int, channels: float, epochs: int) -> str:
    """Compare forms of one version, write the report, and say what was found.

    Args:
        storage: the bucket.
        version: which, or `current`.
        pictures: test pictures, at most, that each form answers.
        channels: part of the channels that is pruned.
        epochs: of training after that.

    Raises:
        AnimalsError: whatever stands in the way.
    """
    # only now: torch takes seconds to import
    from animals.training.evaluation.__main__ import REPORTS
    from animals.training.evaluation.model_under_test import find_card
    from animals.training.export.optimize.optimize import optimize
    from animals.training.export.optimize.report import draw, markdown, table

    found = optimize(storage, find_card(storage, version), pictures=pictures, channels=channels, epochs=epochs)
    folder = REPORTS / found.version
    folder.mkdir(parents=True, exist_ok=True)
    figure, report = folder / "optimize.png", folder / "optimize.md"
    draw(found, figure)
    report.write_text(markdown(found, figure), encoding="utf-8")
    (folder / "optimize.json").write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return f"{table(found)}\n\nReport: {report}\n"


if __name__ == "__main__":
    main()
