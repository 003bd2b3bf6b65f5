"""Batches of pixels for torch, from the cache or decoded on the way."""

from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from animals.data.decode import available_cpus
from animals.data.load import DataSet
from animals.preprocess import open_picture, to_pixels

Batch = tuple[Tensor, Tensor]
"""Pixels, uint8 of shape (pictures, side, side, 3); targets, int64 of shape (pictures,)."""


class PictureRows(Dataset[Batch]):
    """Some rows of a data set, a whole batch at a time."""

    def __init__(self, data_set: DataSet, rows: NDArray[np.int64]) -> None:
        self._data_set = data_set
        self._rows = rows
        self._targets = torch.from_numpy(data_set.targets[rows])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, indices: list[int]) -> Batch:  # torch asks for a batch by this name
        pixels = self._data_set.pixels
        rows = self._rows[indices]
        found = self._decode(rows) if pixels is None else pixels[self._data_set.places[rows]]
        return torch.from_numpy(np.ascontiguousarray(found)), self._targets[indices]

    def _decode(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        data_set = self._data_set
        paths = [data_set.root / data_set.manifest[row].name for row in rows]
        return np.stack([to_pixels(open_picture(path), data_set.spec) for path in paths])


class ShuffleByEpoch(Sampler[int]):
    """An order that depends on the seed and the epoch alone, so that it can be had again."""

    def __init__(self, pictures: Sized, seed: int) -> None:
        self._count = len(pictures)
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._count)
        return iter(order.tolist())


def make_loader(
    data_set: DataSet, split: str, *, batch_size: int, workers: int, shuffle_seed: int | None = None
) -> DataLoader[Batch]:
    """Batches of one split.

    Args:
        data_set: the pictures.
        split: `train`, `val` or `test`.
        batch_size: pictures in one batch.
        workers: processes that decode when nothing is cached; -1 for one a CPU.
        shuffle_seed: shuffle anew in each epoch, and leave out what does not fill a batch; None: in order, all.
    """
    pictures = PictureRows(data_set, data_set.rows(split))
    if data_set.pixels is not None:
        workers = 0  # copying from the cache takes less time than handing over between processes
    elif workers < 0:
        workers = available_cpus()
    return DataLoader(
        pictures,
        batch_size=batch_size,
        sampler=None if shuffle_seed is None else ShuffleByEpoch(pictures, shuffle_seed),
        drop_last=shuffle_seed is not None and len(pictures) > batch_size,
        collate_fn=_as_is,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=torch.cuda.is_available(),
    )


def _as_is(batch: Any) -> Any:
    return batch
