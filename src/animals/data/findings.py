"""Find what may be wrong with a folder of pictures."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath
from typing import Final

from PIL import Image

from animals.config.data import DataConfig
from animals.data.decode import Inspection
from animals.data.folders import Picture
from animals.data.load import InspectedFolder
from animals.data.split import scarce_labels, stratified_split

TINY_SIDE: Final = 32
"""Pixels of the short side below which a picture is tiny for any model."""

HUGE_PIXELS: Final = 20_000_000
"""Pixels above which a picture takes a quarter of a second or more to decode."""


@dataclass(frozen=True, slots=True)
class FindingType:
    """A type of finding."""

    name: str
    advice: str
    """What the user should do."""
    blocking: bool = False
    """Whether a training would fail or learn something wrong; it handles all other findings."""


SCARCE: Final = FindingType("too few pictures", "Add pictures or remove the label: training needs more.", blocking=True)
TWO_LABELS: Final = FindingType("two labels", "Delete the picture from the wrong folder.", blocking=True)
LEAK: Final = FindingType("would leak", "Nothing: duplicates stay in one split. Any other split would leak.")
NEAR: Final = FindingType("near duplicate", "Compare them, and delete all but the best.")
DUPLICATE: Final = FindingType("duplicate", "Delete all but one, so that none counts twice.")
UNREADABLE: Final = FindingType("unreadable", "Replace or delete the file; training leaves it out.")
TINY: Final = FindingType("tiny", "Find a larger picture; training scales it up.")
HUGE: Final = FindingType("huge", "Scale it down to decode it faster.")
EXTENSION: Final = FindingType("wrong extension", "Rename the file for other programs; training uses its content.")
MODE: Final = FindingType("not RGB", "Nothing: training converts it.")
ROTATED: Final = FindingType("rotated", "Nothing: training rotates it as its EXIF says.")

FINDING_TYPES: Final = (SCARCE, TWO_LABELS, LEAK, NEAR, DUPLICATE, UNREADABLE, TINY, HUGE, EXTENSION, MODE, ROTATED)
"""All types, the worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem of one file or of one label."""

    type: FindingType
    name: str
    """Name of the file; empty if the finding is about a label."""
    label: str
    detail: str
    group: str = ""
    """Name of the first duplicate of a group."""


@dataclass(frozen=True, slots=True)
class _Duplicate:
    """A readable picture that has duplicates."""

    name: str
    label: str
    sha256: str
    naive_split: str
    """The split it would be in if duplicates were not kept together; empty if no split is possible."""


def find_all(inspected: InspectedFolder, config: DataConfig) -> list[Finding]:
    """Return all findings, the worst type first, then by group and name."""
    groups = inspected.groups(config.duplicate_distance)
    labels = [inspected.files[index].label for index in inspected.readable]
    findings = list(_check_labels(inspected, labels, groups, config))
    splits = [""] * len(labels)
    if not findings and len(set(groups)) < len(groups):
        splits = stratified_split(labels, val=config.val, test=config.test, seed=config.split_seed)
    for file, inspection in zip(inspected.files, inspected.inspections, strict=True):
        findings += _check_file(file, inspection, config.side)
    for group in _duplicate_groups(inspected, groups, splits):
        findings += _check_group(group)
    return sorted(findings, key=lambda it: (FINDING_TYPES.index(it.type), it.group, it.name))


def _check_labels(
    inspected: InspectedFolder, labels: Sequence[str], groups: Sequence[int], config: DataConfig
) -> Iterator[Finding]:
    for label in sorted({file.label for file in inspected.files} - set(labels)):
        yield Finding(SCARCE, "", label, "none of its files is readable")
    for it in scarce_labels(labels, groups, val=config.val, test=config.test):
        yield Finding(SCARCE, "", it.label, f"{it.different} different pictures, {it.needed} needed")


def _check_file(file: Picture, inspection: Inspection, side: int) -> Iterator[Finding]:
    finding = partial(Finding, name=file.name, label=file.label)
    if inspection.problem:
        yield finding(UNREADABLE, detail=inspection.problem)
        return
    width, height = inspection.width, inspection.height
    suffix = PurePosixPath(file.name).suffix
    if min(width, height) < max(TINY_SIDE, side / 2):
        yield finding(TINY, detail=f"{width}x{height} pixels")
    if width * height > HUGE_PIXELS:
        yield finding(HUGE, detail=f"{width}x{height} pixels")
    if not _fits(suffix, inspection.format):
        yield finding(EXTENSION, detail=f"{inspection.format} named {suffix or 'without an extension'}")
    if inspection.mode != "RGB":
        yield finding(MODE, detail=f"mode {inspection.mode}")
    if inspection.orientation != 1:
        yield finding(ROTATED, detail=f"EXIF orientation {inspection.orientation}")


def _fits(suffix: str, format: str) -> bool:
    # MPO is a JPEG followed by more pictures, which phones store as .jpg
    return Image.registered_extensions().get(suffix.lower()) == ("JPEG" if format == "MPO" else format)


def _duplicate_groups(
    inspected: InspectedFolder, groups: Sequence[int], splits: Sequence[str]
) -> list[list[_Duplicate]]:
    members: dict[int, list[_Duplicate]] = {}
    for index, group, split in zip(inspected.readable, groups, splits, strict=True):
        file, inspection = inspected.files[index], inspected.inspections[index]
        members.setdefault(group, []).append(_Duplicate(file.name, file.label, inspection.sha256, split))
    return [group for group in members.values() if len(group) > 1]


def _check_group(group: Sequence[_Duplicate]) -> Iterator[Finding]:
    by_label = {it.label: it for it in reversed(group)}
    by_split = {it.naive_split: it for it in reversed(group)}
    by_file = {it.sha256: it for it in reversed(group)}
    files = Counter(it.sha256 for it in group)
    for it in group:
        finding = partial(Finding, name=it.name, label=it.label, group=group[0].name)
        if other := _first_other(by_label, it.label):
            yield finding(TWO_LABELS, detail=f"{other.name} is {other.label}")
        if it.naive_split != "train" and (other := _first_other(by_split, it.naive_split)):
            yield finding(LEAK, detail=f"in {it.naive_split}, with {other.name} in {other.naive_split}")
        if other := _first_other(by_file, it.sha256):
            yield finding(NEAR, detail=f"looks like {other.name}")
        if files[it.sha256] > 1:
            yield finding(DUPLICATE, detail=f"one of {files[it.sha256]} files with this content")


def _first_other(firsts: dict[str, _Duplicate], own: str) -> _Duplicate | None:
    return next((it for value, it in firsts.items() if value != own), None)
