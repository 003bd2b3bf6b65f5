"""Split pictures into train, val and test, and read and write the manifest of a split."""

import csv
import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path
from typing import Final

from animals.errors import DataError

SPLITS: Final = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One picture of a run."""

    name: str
    """Path relative to the data set's root, with forward slashes."""
    label: str
    split: str
    """`train`, `val` or `test`."""
    sha256: str
    """Hash of the file."""


@dataclass(frozen=True, slots=True)
class ScarceLabel:
    """A label with too few different pictures for a split."""

    label: str
    different: int
    """Groups of duplicates, each counted for its most frequent label."""
    pictures: int
    needed: int


def stratified_split(
    labels: Sequence[str], *, val: float, test: float, seed: int, groups: Sequence[int] | None = None
) -> list[str]:
    """Return a split for each picture, stratified by label.

    Args:
        labels: label of each picture; the result depends on their order.
        val: fraction of pictures for `val`.
        test: fraction of pictures for `test`.
        seed: seed of the split.
        groups: a number for each picture. Pictures with the same number go into one split and count as one, with
            their most frequent label. None: each picture is a group.

    Raises:
        DataError: a label has too few different pictures to be in each split.
    """
    numbers = range(len(labels)) if groups is None else groups
    if scarce := scarce_labels(labels, numbers, val=val, test=test):
        raise DataError(_scarce_message(scarce))
    label_of = _label_of_groups(labels, numbers)
    split_of = dict(zip(label_of, _split(list(label_of.values()), val=val, test=test, seed=seed), strict=True))
    return [split_of[number] for number in numbers]


def scarce_labels(labels: Sequence[str], groups: Sequence[int], *, val: float, test: float) -> list[ScarceLabel]:
    """Return the labels with too few different pictures for all splits; arguments as for `stratified_split`."""
    different = Counter(_label_of_groups(labels, groups).values())
    needed = math.ceil(1 / min(val, test))
    return [
        ScarceLabel(label, different[label], pictures, needed)
        for label, pictures in sorted(Counter(labels).items())
        if different[label] < needed
    ]


def _label_of_groups(labels: Sequence[str], groups: Sequence[int]) -> dict[int, str]:
    """Return the most frequent label of each group (of several, the first), in the order of the pictures."""
    counts: dict[int, Counter[str]] = {}
    for label, group in zip(labels, groups, strict=True):
        counts.setdefault(group, Counter())[label] += 1
    return {group: of_group.most_common(1)[0][0] for group, of_group in counts.items()}


def _split(labels: Sequence[str], *, val: float, test: float, seed: int) -> list[str]:
    from sklearn.model_selection import train_test_split  # here: the import takes a second

    rest, in_test = train_test_split(range(len(labels)), test_size=test, stratify=labels, random_state=seed)
    _, in_val = train_test_split(
        rest, test_size=val / (1 - test), stratify=[labels[index] for index in rest], random_state=seed
    )
    split_of = dict.fromkeys(in_val, "val") | dict.fromkeys(in_test, "test")
    return [split_of.get(index, "train") for index in range(len(labels))]


def _scarce_message(scarce: Sequence[ScarceLabel]) -> str:
    counts = [f"{it.different}" + f" different of {it.pictures}" * (it.different < it.pictures) for it in scarce]
    named = ", ".join(f"{it.label} ({count})" for it, count in zip(scarce, counts, strict=True))
    hint = " Or treat fewer pictures as duplicates: data.duplicate_distance." if " different" in named else ""
    return (
        f"Too few readable pictures of {named}: each label needs {scarce[0].needed} or more for train, val and test. "
        f"Add pictures or remove the label.{hint}"
    )


def write_manifest(path: Path, rows: Sequence[ManifestRow]) -> str:
    """Write the manifest as CSV.

    Returns:
        The SHA-256 of the file: equal for runs with the same pictures in the same splits.
    """
    path.write_bytes(_to_csv(rows))
    return manifest_sha256(rows)


def manifest_sha256(rows: Sequence[ManifestRow]) -> str:
    """Return the SHA-256 of a manifest as `write_manifest` writes it."""
    return hashlib.sha256(_to_csv(rows)).hexdigest()


def _to_csv(rows: Sequence[ManifestRow]) -> bytes:
    file = StringIO()
    writer = csv.DictWriter(file, [field.name for field in fields(ManifestRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return file.getvalue().encode()


def sha256_of_test(rows: Sequence[ManifestRow]) -> str:
    """Return the SHA-256 of the test pictures and their labels: runs with the same one can be compared."""
    listed = "".join(f"{row.sha256} {row.label}\n" for row in rows if row.split == "test")
    return hashlib.sha256(listed.encode()).hexdigest()


def read_manifest(path: Path) -> list[ManifestRow]:
    """Return the rows of a manifest.

    Raises:
        DataError: the file is missing or no manifest.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [ManifestRow(**row) for row in csv.DictReader(file)]
    except (OSError, TypeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no split manifest: {error}. Expected a CSV file that a run wrote.") from error
