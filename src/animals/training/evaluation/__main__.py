"""`python -m animals.training.evaluation VERSION`: examine a published version and write a report on it."""

import argparse
import sys
from pathlib import Path
from typing import Final

from animals.cli import exit_on_error
from animals.config.settings import BucketSettings, read_settings
from animals.storage import Storage, open_storage

REPORTS: Final = Path("reports", "versions")


def main() -> None:
    """Measure what a published version is worth, and write reports/versions/VERSION/."""
    arguments = _parser().parse_args()
    with exit_on_error():
        storage = open_storage(arguments.bucket or read_settings(BucketSettings).bucket)
        sys.stdout.write(examine(storage, arguments.version, arguments.against, most=arguments.pictures))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m animals.training.evaluation", description=main.__doc__)
    parser.add_argument("version", nargs="?", default="current", help="a version; by default the one that serves")
    parser.add_argument("--bucket", help="a folder or gs://name/prefix; by default $ANIMALS_BUCKET")
    parser.add_argument("--against", help="another version to compare with; by default the one that serves")
    parser.add_argument(
        "--pictures", type=_positive, default=1000, help="test pictures, at most, that are spoiled (default: 1000)"
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of pictures; expected 1 or more")
    return int(text)


def examine(storage: Storage, version: str, against: str | None, *, most: int) -> str:
    """Examine one version, write its report, and say what was found.

    Args:
        storage: the bucket.
        version: which, or `current`.
        against: another version to compare with; None: the one that serves.
        most: test pictures, at most, that are spoiled.

    Raises:
        AnimalsError: whatever stands in the way.
    """
    # only now: torch and pandas take seconds to import
    from animals.training.evaluation.compare import find_rival
    from animals.training.evaluation.examine import answer_all, prove
    from animals.training.evaluation.figures import draw_evaluation, draw_robustness
    from animals.training.evaluation.model_under_test import find_card, load_subject
    from animals.training.evaluation.report import markdown, summary

    card = find_card(storage, version)
    rival = find_rival(storage, card, against)
    subject = load_subject(storage, card)
    evaluation = answer_all(subject)
    proof = prove(subject, evaluation, rival, most=most)
    folder = REPORTS / card.version
    figures = [
        *draw_evaluation(folder, evaluation, subject.data_set),
        draw_robustness(folder, proof.robustness.clean, proof.robustness.accuracy),
    ]
    (folder / "report.md").write_text(markdown(proof, figures), encoding="utf-8")
    (folder / "report.json").write_text(proof.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return summary(proof, folder)


if __name__ == "__main__":
    main()
