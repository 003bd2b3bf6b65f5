"""What may be wrong with a folder of pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from PIL import Image

from animals.config.training import DataConfig
from animals.data.decode import Inspection
from animals.data.folders import Picture
from animals.data.load import Inspected
from animals.data.split import scarce_labels, stratified_split

TINY_SIDE: Final = 32
"""Pixels of the short side below which a picture is tiny whatever the model's side."""

HUGE_PIXELS: Final = 20_000_000
"""Pixels above which a picture takes a quarter of a second or more to decode."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A sort of findings."""

    name: str
    advice: str
    """What a person should do."""
    spoils: bool = False
    """Whether a training would fail or learn what is wrong; it copes with all else by itself."""


SCARCE: Final = Kind("too few pictures", "Add some, or leave the label out: training refuses to start.", spoils=True)
TWO_LABELS: Final = Kind("two labels", "Delete the picture where it does not belong.", spoils=True)
LEAK: Final = Kind("would leak", "Nothing: duplicates are kept in one split. Any other split would flatter the result.")
NEAR: Final = Kind("near duplicate", "Look at them, and delete all but the best.")
DUPLICATE: Final = Kind("duplicate", "Delete all but one, so that none counts twice.")
UNREADABLE: Final = Kind("unreadable", "Replace or delete the file; until then it is left out.")
TINY: Final = Kind("tiny", "Look for a larger one; until then it is scaled up.")
HUGE: Final = Kind("huge", "Scale it down, and it is decoded faster.")
EXTENSION: Final = Kind("wrong extension", "Rename the file for other programs' sake; here its content counts.")
MODE: Final = Kind("not RGB", "Nothing: it is converted.")
ROTATED: Final = Kind("rotated", "Nothing: it is set upright, as its EXIF says.")

KINDS: Final = (SCARCE, TWO_LABELS, LEAK, NEAR, DUPLICATE, UNREADABLE, TINY, HUGE, EXTENSION, MODE, ROTATED)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about one file, or about a label."""

    kind: Kind
    name: str
    """Of the file; empty where it is about a label."""
    label: str
    detail: str
    group: str = ""
    """Of duplicates: the name of the first of them."""


@dataclass(frozen=True, slots=True)
class _Row:
    """One readable picture."""

    name: str
    label: str
    sha256: str
    alone: str
    """The split that it would be in if duplicates did not stay together; empty where no split is possible."""


def find_all(inspected: Inspected, config: DataConfig) -> list[Finding]:
    """All findings, the worst kind first, then by group and name."""
    groups = inspected.groups(config.duplicate_distance)
    labels = [inspected.files[place].label for place in inspected.readable]
    found = list(_of_labels(inspected, labels, groups, config))
    splits = [""] * len(labels)
    if not found and len(set(groups)) < len(groups):
        splits = stratified_split(labels, val=config.val, test=config.test, seed=config.split_seed)
    for file, inspection in zip(inspected.files, inspected.inspections, strict=True):
        found += _of_file(file, inspection, config.side)
    for rows in _duplicates(inspected, groups, splits):
        found += _of_group(rows)
    return sorted(found, key=lambda it: (KINDS.index(it.kind), it.group, it.name))


def _of_labels(
    inspected: Inspected, labels: Sequence[str], groups: Sequence[int], config: DataConfig
) -> Iterator[Finding]:
    for label in sorted({file.label for file in inspected.files} - set(labels)):
        yield Finding(SCARCE, "", label, "none of its files is readable")
    for it in scarce_labels(labels, groups, val=config.val, test=config.test):
        yield Finding(SCARCE, "", it.label, f"{it.different} different pictures, {it.needed} needed")


def _of_file(file: Picture, inspection: Inspection, side: int) -> Iterator[Finding]:
    def found(kind: Kind, detail: str) -> Finding:
        return Finding(kind, file.name, file.label, detail)

    if inspection.problem:
        yield found(UNREADABLE, inspection.problem)
        return
    width, height = inspection.width, inspection.height
    suffix = PurePosixPath(file.name).suffix
    if min(width, height) < max(TINY_SIDE, side / 2):
        yield found(TINY, f"{width}x{height} pixels")
    if width * height > HUGE_PIXELS:
        yield found(HUGE, f"{width}x{height} pixels")
    if not _fits(suffix, inspection.format):
        yield found(EXTENSION, f"{inspection.format} named {suffix or 'without an ending'}")
    if inspection.mode != "RGB":
        yield found(MODE, f"mode {inspection.mode}")
    if inspection.orientation != 1:
        yield found(ROTATED, f"EXIF orientation {inspection.orientation}")


def _fits(suffix: str, content: str) -> bool:
    # MPO is a JPEG with more pictures behind it, as phones write them under .jpg
    return Image.registered_extensions().get(suffix.lower()) == {"MPO": "JPEG"}.get(content, content)


def _duplicates(inspected: Inspected, groups: Sequence[int], splits: Sequence[str]) -> list[list[_Row]]:
    """The members of each group of two or more."""
    members: dict[int, list[_Row]] = {}
    for place, group, split in zip(inspected.readable, groups, splits, strict=True):
        file, inspection = inspected.files[place], inspected.inspections[place]
        members.setdefault(group, []).append(_Row(file.name, file.label, inspection.sha256, split))
    return [rows for rows in members.values() if len(rows) > 1]


def _of_group(rows: Sequence[_Row]) -> Iterator[Finding]:
    labels = {row.label: row for row in reversed(rows)}
    splits = {row.alone: row for row in reversed(rows)}
    contents = {row.sha256: row for row in reversed(rows)}
    files = Counter(row.sha256 for row in rows)
    for row in rows:
        found = partial(Finding, name=row.name, label=row.label, group=rows[0].name)
        if other := _other(labels, row.label):
            yield found(TWO_LABELS, detail=f"{other.name} is {other.label}")
        if row.alone != "train" and (other := _other(splits, row.alone)):
            yield found(LEAK, detail=f"in {row.alone}, with {other.name} in {other.alone}")
        if other := _other(contents, row.sha256):
            yield found(NEAR, detail=f"looks like {other.name}")
        if files[row.sha256] > 1:
            yield found(DUPLICATE, detail=f"one of {files[row.sha256]} files with this content")


def _other(firsts: dict[str, _Row], own: str) -> _Row | None:
    """A row of the group that differs in something, given a row for each that it may be."""
    return next((row for key, row in firsts.items() if key != own), None)
