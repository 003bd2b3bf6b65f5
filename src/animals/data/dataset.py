"""The pictures of one run, with their labels and splits."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from animals.data.shards.index import ShardSet
from animals.data.split import SPLITS, ManifestRow
from animals.preprocess import InputSpec, read_pixels


@dataclass(frozen=True, slots=True)
class DataSet:
    """Readable pictures, each in one split. Of shards it holds val and test; training pictures are streamed."""

    root: Path
    spec: InputSpec
    labels: tuple[str, ...]
    """In the order of the model's outputs."""
    manifest: list[ManifestRow]
    """One row for each picture, sorted by name; of shards only val and test."""
    pixels: NDArray[np.uint8] | None
    """Pixels of all files, shape (files, side, side, 3); None without a cache."""
    pixel_rows: NDArray[np.int64]
    """Index in `pixels` of each row of the manifest."""
    sizes: NDArray[np.int64]
    """Width and height of each upright picture, shape (rows, 2)."""
    split_seed: int = 0
    """Seed of the split."""
    shards: ShardSet | None = None
    """Shards with the training pictures; None if these are in the manifest."""

    @property
    def targets(self) -> NDArray[np.int64]:
        """Index in `labels` of each row's label."""
        index = {label: number for number, label in enumerate(self.labels)}
        return np.array([index[row.label] for row in self.manifest], np.int64)

    def rows(self, split: str) -> NDArray[np.int64]:
        """Return the indices in the manifest of a split's pictures."""
        return np.flatnonzero([row.split == split for row in self.manifest])

    def read_pixels(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the pixels of some rows, from the cache or decoded now, shape (rows, side, side, 3)."""
        if self.pixels is not None:
            return np.asarray(self.pixels[self.pixel_rows[rows]])
        return np.stack([read_pixels(self.root / self.manifest[row].name, self.spec) for row in rows])

    def label_counts(self, split: str) -> Counter[str]:
        """Return the number of pictures of each label in a split."""
        if self.shards:
            return Counter({label: counts[split] for label, counts in self.shards.index.labels.items()})
        return Counter(row.label for row in self.manifest if row.split == split)

    def counts(self) -> dict[str, int]:
        """Return the number of pictures in each split."""
        return {split: self.label_counts(split).total() for split in SPLITS}

    @property
    def run_manifest(self) -> list[ManifestRow]:
        """Rows that a run stores: those of the manifest, and one for each shard of training pictures."""
        return [*self.manifest, *(self.shards.train_rows if self.shards else [])]
