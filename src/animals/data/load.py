"""The data set of one run: found, checked, decoded and split."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animals.config.training import DataConfig
from animals.data.cache import cached_pictures
from animals.data.decode import Inspection, inspect_pictures
from animals.data.folders import Picture, find_pictures
from animals.data.sample import make_sample
from animals.data.split import SPLITS, ManifestRow, stratified_split
from animals.errors import DataError
from animals.preprocess import InputSpec

log = logging.getLogger(__name__)

NAMED = 5
"""Unreadable files that the log names one by one."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """The readable pictures of a folder, each in one split."""

    root: Path
    spec: InputSpec
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    manifest: list[ManifestRow]
    """One row a readable picture, sorted by name."""
    pixels: NDArray[np.uint8] | None
    """All files' pixels, shape (files, side, side, 3); None when nothing is cached."""
    places: NDArray[np.int64]
    """Where each row's pixels lie in `pixels`."""

    @property
    def targets(self) -> NDArray[np.int64]:
        """Each row's label as its place in `labels`."""
        place = {label: number for number, label in enumerate(self.labels)}
        return np.array([place[row.label] for row in self.manifest], np.int64)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Places in the manifest of a split's pictures."""
        return np.flatnonzero([row.split == split for row in self.manifest])

    def counts(self) -> dict[str, int]:
        """Pictures in each split."""
        return {split: len(self.rows(split)) for split in SPLITS}


def load_data_set(config: DataConfig, spec: InputSpec) -> DataSet:
    """Find, check, decode and split the pictures that the configuration names.

    Raises:
        DataError: the folder cannot be used as it is.
        StorageUnavailable: the disk is full or may not be written to.
    """
    root = Path(config.root)
    if config.sample:
        make_sample(root, per_label=config.sample_per_label)
    files = find_pictures(root, config.folders)
    pixels, inspections = _decode(root, files, spec, config)
    _report(files, inspections)
    readable = [place for place, inspection in enumerate(inspections) if not inspection.problem]
    labels = [files[place].label for place in readable]
    if lost := sorted({file.label for file in files} - set(labels)):
        raise DataError(f"No file of {', '.join(lost)} in {root} is a readable picture.")
    splits = stratified_split(labels, val=config.val, test=config.test, seed=config.split_seed)
    manifest = [
        ManifestRow(files[place].name, label, split, inspections[place].sha256)
        for place, label, split in zip(readable, labels, splits, strict=True)
    ]
    return DataSet(root, spec, tuple(sorted(set(labels))), manifest, pixels, np.array(readable, np.int64))


def _decode(
    root: Path, files: Sequence[Picture], spec: InputSpec, config: DataConfig
) -> tuple[NDArray[np.uint8] | None, list[Inspection]]:
    if config.cache:
        return cached_pictures(root, files, spec, cache_dir=Path(config.cache_dir), workers=config.workers)
    names = [file.name for file in files]
    return None, inspect_pictures(root, names, spec, out=None, workers=config.workers)


def _report(files: Sequence[Picture], inspections: Sequence[Inspection]) -> None:
    problems = [
        f"{file.name}: {inspection.problem}"
        for file, inspection in zip(files, inspections, strict=True)
        if inspection.problem
    ]
    if problems:
        more = f"\n  and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        named = "\n  ".join(problems[:NAMED])
        log.warning("%d of %d files are unreadable and left out:\n  %s%s", len(problems), len(files), named, more)
