"""`python -m animals.training.evaluation VERSION`: evaluate a published version and write a report on it."""

import argparse
import sys

from animals.cli import exit_on_error
from animals.config.settings import BucketSettings, read_settings
from animals.storage import open_storage


def main() -> None:
    """Evaluate a published version, and write reports/versions/VERSION/."""
    parser = argparse.ArgumentParser(prog="python -m animals.training.evaluation", description=main.__doc__)
    parser.add_argument("version", nargs="?", default="current", help="a version; by default the one that serves")
    parser.add_argument("--bucket", help="a folder or gs://name/prefix; by default $ANIMALS_BUCKET")
    parser.add_argument("--against", help="another version to compare with; by default the one that serves")
    parser.add_argument(
        "--pictures", type=_positive, default=1000, help="test pictures, at most, that are corrupted (default: 1000)"
    )
    arguments = parser.parse_args()
    with exit_on_error():
        from animals.training.evaluation.evaluate import evaluate_version  # torch and pandas take seconds to import

        storage = open_storage(arguments.bucket or read_settings(BucketSettings).bucket)
        sys.stdout.write(evaluate_version(storage, arguments.version, arguments.against, pictures=arguments.pictures))


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no number of pictures; expected 1 or more")
    return int(text)


if __name__ == "__main__":
    main()
