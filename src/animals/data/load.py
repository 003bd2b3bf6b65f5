"""Find, decode, check and split the pictures of a run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from animals.config.data import DataConfig
from animals.data.cache import load_pictures
from animals.data.dataset import DataSet
from animals.data.decode import Inspection
from animals.data.duplicates import group_duplicates
from animals.data.folders import Picture, find_extra, find_pictures
from animals.data.sample.make import make_sample
from animals.data.shards.load import load_shards
from animals.data.sources.import_pictures import ensure_local
from animals.data.split import ManifestRow, stratified_split
from animals.errors import DataError
from animals.preprocess import InputSpec, Resize

log = logging.getLogger(__name__)

MAX_NAMED: Final = 5
"""Unreadable files that the log names."""


@dataclass(frozen=True, slots=True)
class InspectedFolder:
    """The files of a folder, and what decoding revealed about each."""

    root: Path
    files: list[Picture]
    inspections: list[Inspection]
    """One for each file."""
    pixels: NDArray[np.uint8] | None
    """Shape (files, side, side, 3); None without a cache."""

    @property
    def readable(self) -> list[int]:
        """Indices of the files that can be used."""
        return [index for index, inspection in enumerate(self.inspections) if not inspection.problem]

    def groups(self, distance: int, indices: Sequence[int] | None = None) -> list[int]:
        """Return a group number for each of some files, by default the readable ones; duplicates share a number."""
        used = [self.inspections[index] for index in (self.readable if indices is None else indices)]
        return group_duplicates([it.sha256 for it in used], [it.perceptual_hash for it in used], distance=distance)


def load_data_set(config: DataConfig, spec: InputSpec) -> DataSet:
    """Load the pictures that the configuration names: a folder, or the val and test pictures of shards.

    Raises:
        DataError: the folder, or the index of the shards, cannot be used.
        PicturesUnavailable: a shard is missing or damaged.
        StorageUnavailable: the disk is full or not writable, or the bucket cannot be reached.
    """
    return load_shards(config, spec) if config.shards else _load_folder(config, spec)


def _load_folder(config: DataConfig, spec: InputSpec) -> DataSet:
    inspected = inspect_folder(config, spec)
    files, inspections = inspected.files, inspected.inspections
    _log_unreadable(files, inspections)
    own = _split_own(inspected, config)
    split_of = own | _split_extra(inspected, config, own)
    manifest = [
        ManifestRow(files[index].name, files[index].label, split, inspections[index].sha256)
        for index, split in split_of.items()
    ]
    return DataSet(
        root=inspected.root,
        spec=spec,
        labels=tuple(sorted({row.label for row in manifest})),
        manifest=manifest,
        pixels=inspected.pixels,
        pixel_rows=np.array(list(split_of), np.int64),
        sizes=np.array([(inspections[index].width, inspections[index].height) for index in split_of], np.int64),
        split_seed=config.split_seed,
    )


def _split_own(inspected: InspectedFolder, config: DataConfig) -> dict[int, str]:
    """Return the split of each readable file of `data.root`, by its index."""
    files = inspected.files
    readable = [index for index in inspected.readable if not files[index].extra]
    labels = [files[index].label for index in readable]
    if lost := sorted({file.label for file in files} - set(labels)):
        raise DataError(
            f"{inspected.root} has no readable picture of {', '.join(lost)}. Add pictures or remove the folder."
        )
    groups = inspected.groups(config.duplicate_distance, readable)
    _log_duplicates(labels, groups)
    splits = stratified_split(labels, val=config.val, test=config.test, seed=config.split_seed, groups=groups)
    return dict(zip(readable, splits, strict=True))


def _split_extra(inspected: InspectedFolder, config: DataConfig, own: Mapping[int, str]) -> dict[int, str]:
    """Return the readable files of `data.extra` by their index, all in train, without duplicates of val and test.

    So val and test are the same with and without them, and versions can be compared.
    """
    extra = [index for index in inspected.readable if inspected.files[index].extra]
    if not extra:
        return {}
    indices = [*own, *extra]
    group_of = dict(zip(indices, inspected.groups(config.duplicate_distance, indices), strict=True))
    held_out = {group_of[index] for index, split in own.items() if split != "train"}
    used = {index: "train" for index in extra if group_of[index] not in held_out}
    log.info("Training on %d more pictures, of %s", len(used), config.extra)
    if duplicates := len(extra) - len(used):
        log.warning("%d pictures of %s are left out: they are duplicates of val or test", duplicates, config.extra)
    return used


def inspect_folder(config: DataConfig, spec: InputSpec) -> InspectedFolder:
    """Find and decode the pictures that the configuration names, or take them from the cache.

    Raises:
        DataError: the folder cannot be used.
        ModelError: the pictures are feedback, and no published model says what its folders are called.
        StorageUnavailable: the disk is full or not writable, or the bucket cannot be reached.
    """
    if config.shards:
        raise DataError(f"{config.root} holds shards, which were checked when they were written. Name a folder.")
    cache_dir = Path(config.cache_dir)
    root = ensure_local(config.root, cache_dir)
    if config.sample:
        make_sample(root, per_label=config.sample_per_label)
    files = find_pictures(root, config.folders)
    if config.extra:
        extra = ensure_local(config.extra, cache_dir)
        files += find_extra(root, extra, config.folders, {file.label for file in files})
    pixels, inspections = load_pictures(root, files, spec, config)
    return InspectedFolder(root, files, inspections, pixels)


def spec_without_model(config: DataConfig) -> InputSpec:
    """Return how pictures are scaled, for commands that have no model.

    The interpolation is bicubic, as for nine of ten models of timm, so their cached pictures are used.
    """
    return InputSpec(
        side=config.side,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        resize=cast(Resize, config.resize),
        crop_pct=config.crop_pct,
    )


def _log_unreadable(files: Sequence[Picture], inspections: Sequence[Inspection]) -> None:
    problems = [f"{file.name}: {it.problem}" for file, it in zip(files, inspections, strict=True) if it.problem]
    if problems:
        named = "\n  ".join(problems[:MAX_NAMED])
        more = f"\n  and {len(problems) - MAX_NAMED} more" if len(problems) > MAX_NAMED else ""
        log.warning("%d of %d files are unreadable and left out:\n  %s%s", len(problems), len(files), named, more)


def _log_duplicates(labels: Sequence[str], groups: Sequence[int]) -> None:
    different = len(set(groups))
    if different < len(groups):
        log.info("%d of %d pictures are duplicates, each in its original's split", len(groups) - different, len(groups))
    if contradictions := len(set(zip(groups, labels, strict=True))) - different:
        log.warning("%d pictures have duplicates under another label; list them: invoke data --check", contradictions)
