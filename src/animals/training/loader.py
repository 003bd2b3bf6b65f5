"""Batches of pixels for torch, from the cache or decoded on the way."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from animals.cpus import available_cpus
from animals.data.dataset import DataSet

Batch = tuple[Tensor, Tensor]
"""Pixels, uint8 of shape (pictures, side, side, 3); targets, int64 of shape (pictures,)."""


class PictureRows(Dataset[Batch]):
    """Some rows of a data set, read a whole batch at a time."""

    def __init__(self, data_set: DataSet, rows: NDArray[np.int64]) -> None:
        self._data_set = data_set
        self._rows = rows
        self._targets = torch.from_numpy(data_set.targets[rows])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, indices: list[int]) -> Batch:  # torch asks for a batch by this name
        pixels = self._data_set.read_pixels(self._rows[indices])
        return torch.from_numpy(np.ascontiguousarray(pixels)), self._targets[indices]


class ShuffledBatches(Sampler[list[int]]):
    """Batches of indices in an order that follows from the seed and the epoch alone, so that a run can be resumed.

    Args:
        pictures: number of pictures.
        batch_size: pictures per batch of all processes together; an epoch leaves out what does not fill a batch.
        seed: of the order.
        rank: number of this process, from 0.
        world_size: number of processes, which share out the pictures of each batch.
    """

    def __init__(self, pictures: int, batch_size: int, seed: int, *, rank: int = 0, world_size: int = 1) -> None:
        self._pictures = pictures
        self._batch_size = min(batch_size, pictures)
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._epoch = 0
        self._done = 0

    @property
    def sampler(self) -> "ShuffledBatches":
        """This object: Lightning calls `set_epoch` of a batch sampler's `sampler`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Start an epoch; Lightning calls this at the start of each."""
        if epoch != self._epoch:
            self._epoch, self._done = epoch, 0

    def resume(self, epoch: int, batches_done: int) -> None:
        """Start within an epoch, after the batches that an interrupted run has trained on."""
        self._epoch, self._done = epoch, batches_done

    def __len__(self) -> int:
        return self._pictures // self._batch_size

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._pictures)
        for batch in range(self._done, len(self)):
            whole = order[batch * self._batch_size :][: self._batch_size]
            yield whole[self._rank :: self._world_size].tolist()


def training_loader(
    data_set: DataSet, *, batch_size: int, workers: int, seed: int, rank: int = 0, world_size: int = 1
) -> DataLoader[Batch]:
    """Return the train split, shuffled anew in each epoch.

    Args as for `ShuffledBatches`; `workers` processes decode when nothing is cached, -1 for one per CPU.
    """
    rows = data_set.rows("train")
    batches = ShuffledBatches(len(rows), batch_size, seed, rank=rank, world_size=world_size)
    return _loader(data_set, rows, workers, batch_sampler=batches)


def evaluation_loader(
    data_set: DataSet, split: str, *, batch_size: int, workers: int, rank: int = 0, world_size: int = 1
) -> DataLoader[Batch]:
    """Return all pictures of a split, in the manifest's order; the last batch may be smaller.

    Args as for `training_loader`.
    """
    return _loader(data_set, data_set.rows(split)[rank::world_size], workers, batch_size=batch_size)


def _loader(data_set: DataSet, rows: NDArray[np.int64], workers: int, **batches: Any) -> DataLoader[Batch]:
    if data_set.pixels is not None:
        workers = 0  # copying from the cache takes less time than handing over between processes
    elif workers < 0:
        workers = available_cpus()
    return DataLoader(
        PictureRows(data_set, rows),
        collate_fn=keep_batch,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=torch.cuda.is_available(),
        **batches,
    )


def keep_batch(batch: Any) -> Any:
    """Return what the data set gives, which is a batch already, in place of torch's collation."""
    return batch
