"""The data set of one run: found, checked, decoded and split."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from animals.config.training import DataConfig
from animals.data.cache import cached_pictures
from animals.data.decode import Inspection, inspect_pictures
from animals.data.duplicates import group_duplicates
from animals.data.folders import Picture, find_extra, find_pictures
from animals.data.sample.make import make_sample
from animals.data.shards.index import ShardSet
from animals.data.sources.remote import at_hand
from animals.data.split import SPLITS, ManifestRow, stratified_split
from animals.errors import DataError
from animals.preprocess import InputSpec, Resize, read_pixels

log = logging.getLogger(__name__)

NAMED = 5
"""Unreadable files that the log names one by one."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """The readable pictures of a folder, each in one split; or of shards, whose training pictures are only streamed."""

    root: Path
    spec: InputSpec
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    manifest: list[ManifestRow]
    """One row a readable picture, sorted by name; from shards those of val and test."""
    pixels: NDArray[np.uint8] | None
    """All files' pixels, shape (files, side, side, 3); None when nothing is cached."""
    places: NDArray[np.int64]
    """Where each row's pixels lie in `pixels`."""
    sizes: NDArray[np.int64]
    """Width and height of each row's upright picture, shape (rows, 2)."""
    split_seed: int = 0
    """What the split was drawn with."""
    shards: ShardSet | None = None
    """Where the training pictures are streamed from; None where they are rows like all others."""

    @property
    def targets(self) -> NDArray[np.int64]:
        """Each row's label as its place in `labels`."""
        place = {label: number for number, label in enumerate(self.labels)}
        return np.array([place[row.label] for row in self.manifest], np.int64)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Places in the manifest of a split's pictures."""
        return np.flatnonzero([row.split == split for row in self.manifest])

    def read_pixels(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Pixels of some rows, from the cache or decoded now, shape (rows, side, side, 3)."""
        if self.pixels is not None:
            return np.asarray(self.pixels[self.places[rows]])
        paths = [self.root / self.manifest[row].name for row in rows]
        return np.stack([read_pixels(path, self.spec) for path in paths])

    def label_counts(self, split: str) -> Counter[str]:
        """Pictures of each label in a split."""
        if self.shards:
            return Counter({label: counts[split] for label, counts in self.shards.index.labels.items()})
        return Counter(row.label for row in self.manifest if row.split == split)

    def counts(self) -> dict[str, int]:
        """Pictures in each split."""
        return {split: self.label_counts(split).total() for split in SPLITS}

    @property
    def remembered(self) -> list[ManifestRow]:
        """What a run's manifest holds: the rows, and a row for each shard of training pictures."""
        return [*self.manifest, *(self.shards.train_rows if self.shards else [])]


@dataclass(frozen=True, slots=True)
class Inspected:
    """The files of a folder, and what decoding told of them."""

    root: Path
    files: list[Picture]
    inspections: list[Inspection]
    """One a file."""
    pixels: NDArray[np.uint8] | None
    """Shape (files, side, side, 3); None when nothing is cached."""

    @property
    def readable(self) -> list[int]:
        """Places of the files that can be used."""
        return [place for place, inspection in enumerate(self.inspections) if not inspection.problem]

    def groups(self, distance: int, places: Sequence[int] | None = None) -> list[int]:
        """A number for each of some files, by default the readable ones, and the same for duplicates."""
        used = [self.inspections[place] for place in (self.readable if places is None else places)]
        return group_duplicates([it.sha256 for it in used], [it.look for it in used], distance=distance)


def load_data_set(config: DataConfig, spec: InputSpec) -> DataSet:
    """Find, check, decode and split the pictures that the configuration names; or look into its shards.

    Raises:
        DataError: the folder, or the index of the shards, cannot be used as it is.
        PicturesUnavailable: a shard is missing or damaged.
        StorageUnavailable: the disk is full or may not be written to, or the bucket of the shards is out of reach.
    """
    if config.shards:
        from animals.data.shards.load import load_shards  # only now: it imports this module

        return load_shards(config, spec)
    inspected = inspect_folder(config, spec)
    files, inspections = inspected.files, inspected.inspections
    _report_unreadable(files, inspections)
    own = _split(inspected, config)
    split_of = own | _split_extra(inspected, config, own)
    manifest = [
        ManifestRow(files[place].name, files[place].label, split, inspections[place].sha256)
        for place, split in split_of.items()
    ]
    sizes = np.array([(inspections[place].width, inspections[place].height) for place in split_of], np.int64)
    places = np.array(list(split_of), np.int64)
    return DataSet(
        root=inspected.root,
        spec=spec,
        labels=tuple(sorted({row.label for row in manifest})),
        manifest=manifest,
        pixels=inspected.pixels,
        places=places,
        sizes=sizes,
        split_seed=config.split_seed,
    )


def _split(inspected: Inspected, config: DataConfig) -> dict[int, str]:
    """The split of each readable file of the folder itself, by its place."""
    files = inspected.files
    readable = [place for place in inspected.readable if not files[place].extra]
    labels = [files[place].label for place in readable]
    if lost := sorted({file.label for file in files} - set(labels)):
        raise DataError(f"No file of {', '.join(lost)} in {inspected.root} is a readable picture.")
    groups = inspected.groups(config.duplicate_distance, readable)
    _report_duplicates(labels, groups)
    splits = stratified_split(labels, val=config.val, test=config.test, seed=config.split_seed, groups=groups)
    return dict(zip(readable, splits, strict=True))


def _split_extra(inspected: Inspected, config: DataConfig, own: Mapping[int, str]) -> dict[int, str]:
    """The readable files of `data.extra` by their places: all for training, but for those that measure already.

    So val and test are the same pictures with them and without, and versions can be compared.
    """
    extra = [place for place in inspected.readable if inspected.files[place].extra]
    if not extra:
        return {}
    places = [*own, *extra]
    group_of = dict(zip(places, inspected.groups(config.duplicate_distance, places), strict=True))
    measuring = {group_of[place] for place, split in own.items() if split != "train"}
    taken = {place: "train" for place in extra if group_of[place] not in measuring}
    log.info("%d pictures of %s are trained on too", len(taken), config.extra)
    if left := len(extra) - len(taken):
        log.warning("%d more are left out: val or test has them already, and must not be trained on", left)
    return taken


def inspect_folder(config: DataConfig, spec: InputSpec) -> Inspected:
    """Find and decode the pictures that the configuration names, or take them from the cache.

    Raises:
        DataError: the folder cannot be used as it is.
        ModelError: the pictures are feedback, but no model is published that tells what its folders are called.
        StorageUnavailable: the disk is full or may not be written to, or a bucket with pictures is out of reach.
    """
    if config.shards:
        raise DataError(f"{config.root} holds shards, whose pictures were looked at when they were written.")
    cache_dir = Path(config.cache_dir)
    root = at_hand(config.root, cache_dir)
    if config.sample:
        make_sample(root, per_label=config.sample_per_label)
    files = find_pictures(root, config.folders)
    if config.extra:
        extra = at_hand(config.extra, cache_dir)
        files += find_extra(root, extra, config.folders, {file.label for file in files})
    if config.cache:
        pixels, inspections = cached_pictures(root, files, spec, cache_dir=cache_dir, workers=config.workers)
        return Inspected(root, files, inspections, pixels)
    names = [file.name for file in files]
    return Inspected(root, files, inspect_pictures(root, names, spec, out=None, workers=config.workers), None)


def spec_without_model(config: DataConfig) -> InputSpec:
    """How the data's pictures are brought to their size, for looking at them without a model.

    Nine of ten models of timm interpolate bicubically; after a run of one of those no picture is decoded again.
    """
    return InputSpec(
        side=config.side,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
        resize=cast(Resize, config.resize),
        crop_pct=config.crop_pct,
    )


def _report_unreadable(files: Sequence[Picture], inspections: Sequence[Inspection]) -> None:
    problems = [
        f"{file.name}: {inspection.problem}"
        for file, inspection in zip(files, inspections, strict=True)
        if inspection.problem
    ]
    if problems:
        more = f"\n  and {len(problems) - NAMED} more" if len(problems) > NAMED else ""
        named = "\n  ".join(problems[:NAMED])
        log.warning("%d of %d files are unreadable and left out:\n  %s%s", len(problems), len(files), named, more)


def _report_duplicates(labels: Sequence[str], groups: Sequence[int]) -> None:
    different = len(set(groups))
    if different < len(groups):
        log.info("%d of %d pictures are duplicates of others, and in their split", len(groups) - different, len(groups))
    if contradictions := len(set(zip(groups, labels, strict=True))) - different:
        log.warning(
            "%d pictures are there again under another label; `uv run invoke data --check` names them", contradictions
        )
