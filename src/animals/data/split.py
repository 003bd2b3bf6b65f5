"""Which pictures train, which choose the epoch, which measure the result; and the manifest that remembers it."""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

from animals.errors import DataError

SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One picture of a run."""

    name: str
    """Path below the data set's root, with forward slashes."""
    label: str
    split: str
    """`train`, `val` or `test`."""
    sha256: str
    """Of the file."""


def stratified_split(labels: Sequence[str], *, val: float, test: float, seed: int) -> list[str]:
    """Put each picture into one split so that every label has its share of each.

    Args:
        labels: of the pictures, in an order that is the same each time.
        val: share of pictures for `val`.
        test: share of pictures for `test`.
        seed: another one makes another split.

    Returns:
        A split a picture, in the same order.

    Raises:
        DataError: a label has too few pictures to be in each split.
    """
    _check_counts(Counter(labels), min(val, test))
    from sklearn.model_selection import train_test_split  # here: it takes a second to import

    everything = range(len(labels))
    rest, test_places = train_test_split(everything, test_size=test, stratify=labels, random_state=seed)
    _, val_places = train_test_split(
        rest, test_size=val / (1 - test), stratify=[labels[place] for place in rest], random_state=seed
    )
    splits = ["train"] * len(labels)
    for split, places in (("val", val_places), ("test", test_places)):
        for place in places:
            splits[place] = split
    return splits


def _check_counts(counts: Counter[str], smallest_share: float) -> None:
    needed = math.ceil(1 / smallest_share)
    if few := {label: count for label, count in sorted(counts.items()) if count < needed}:
        raise DataError(
            f"Too few readable pictures of {', '.join(f'{label} ({count})' for label, count in few.items())}: "
            f"each label needs {needed} or more, so that train, val and test all have some. Add pictures or leave "
            "the label out."
        )


def write_manifest(path: Path, rows: Sequence[ManifestRow]) -> str:
    """Write the manifest as CSV.

    Returns:
        The SHA-256 of the file: two runs with the same one saw the same pictures in the same splits.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(ManifestRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(row) for row in rows)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_manifest(path: Path) -> list[ManifestRow]:
    """The rows of a manifest.

    Raises:
        DataError: it is missing or no manifest.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [ManifestRow(**row) for row in csv.DictReader(file)]
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no split manifest: {error}.") from error
