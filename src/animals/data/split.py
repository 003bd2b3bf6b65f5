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


@dataclass(frozen=True, slots=True)
class Scarce:
    """A label with too few different pictures to be split."""

    label: str
    different: int
    """Groups of duplicates count once, for the label that most of them have."""
    pictures: int
    needed: int


def stratified_split(
    labels: Sequence[str], *, val: float, test: float, seed: int, groups: Sequence[int] | None = None
) -> list[str]:
    """Put each picture into one split so that every label has its share of each.

    Args:
        labels: of the pictures, in an order that is the same each time.
        val: share of pictures for `val`.
        test: share of pictures for `test`.
        seed: another one makes another split.
        groups: a number for each picture; those with the same number go together, under the label that most of
            them have, and count as one. None: each picture goes by itself.

    Returns:
        A split a picture, in the same order.

    Raises:
        DataError: a label has too few different pictures to be in each split.
    """
    numbers = range(len(labels)) if groups is None else groups
    if scarce := scarce_labels(labels, numbers, val=val, test=test):
        raise DataError(_scarce_message(scarce))
    label_of = _label_of_groups(labels, numbers)
    split_of = dict(zip(label_of, _split(list(label_of.values()), val=val, test=test, seed=seed), strict=True))
    return [split_of[number] for number in numbers]


def scarce_labels(labels: Sequence[str], groups: Sequence[int], *, val: float, test: float) -> list[Scarce]:
    """Labels that have too few different pictures for each split to have some; arguments as for a split."""
    different = Counter(_label_of_groups(labels, groups).values())
    needed = math.ceil(1 / min(val, test))
    return [
        Scarce(label, different[label], pictures, needed)
        for label, pictures in sorted(Counter(labels).items())
        if different[label] < needed
    ]


def _label_of_groups(labels: Sequence[str], groups: Sequence[int]) -> dict[int, str]:
    """The most frequent label of each group, or the first of the most frequent; groups in the order of the pictures."""
    found: dict[int, Counter[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        found.setdefault(group, Counter())[label] += 1
    return {group: counts.most_common(1)[0][0] for group, counts in found.items()}


def _split(labels: Sequence[str], *, val: float, test: float, seed: int) -> list[str]:
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


def _scarce_message(scarce: Sequence[Scarce]) -> str:
    counts = [f"{it.different}" + f" different of {it.pictures}" * (it.different < it.pictures) for it in scarce]
    named = ", ".join(f"{it.label} ({count})" for it, count in zip(scarce, counts, strict=True))
    hint = " Or let less count as the same picture: data.duplicate_distance." if " different" in named else ""
    return (
        f"Too few readable pictures of {named}: each label needs {scarce[0].needed} or more, so that train, val and "
        f"test all have some. Add pictures or leave the label out.{hint}"
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


def sha256_of_test(rows: Sequence[ManifestRow]) -> str:
    """The SHA-256 of the test pictures with their labels: two runs with the same one can be compared on them."""
    listed = "".join(f"{row.sha256} {row.label}\n" for row in rows if row.split == "test")
    return hashlib.sha256(listed.encode()).hexdigest()


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
