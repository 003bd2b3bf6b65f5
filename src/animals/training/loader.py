"""Batches of pixels for torch, from the cache or decoded on the way."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from animals.cpus import available_cpus
from animals.data.dataset import DataSet
from animals.preprocess import read_pixels

if TYPE_CHECKING:
    from animals.training.streaming import StreamedBatches

Batch = tuple[Tensor, Tensor]
"""Pixels, uint8 of shape (pictures, side, side, 3); targets, int64 of shape (pictures,)."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one of several training processes takes of something: every `of`-th, from `number` on."""

    number: int
    of: int

    @property
    def slice(self) -> slice:
        """The part as an index."""
        return slice(self.number, None, self.of)


WHOLE: Final = Part(0, 1)


class PictureRows(Dataset[Batch]):
    """Some rows of a data set, a whole batch at a time."""

    def __init__(self, data_set: DataSet, rows: NDArray[np.int64]) -> None:
        self._data_set = data_set
        self._rows = rows
        self._targets = torch.from_numpy(data_set.targets[rows])

    @property
    def cached(self) -> bool:
        """Whether pixels are copied rather than decoded."""
        return self._data_set.pixels is not None

    def __len__(self) -> int:
        return len(self._rows)

    def __getitems__(self, indices: list[int]) -> Batch:  # torch asks for a batch by this name
        pixels = self._data_set.pixels
        rows = self._rows[indices]
        found = self._decode(rows) if pixels is None else pixels[self._data_set.pixel_rows[rows]]
        return torch.from_numpy(np.ascontiguousarray(found)), self._targets[indices]

    def _decode(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        data_set = self._data_set
        paths = [data_set.root / data_set.manifest[row].name for row in rows]
        return np.stack([read_pixels(path, data_set.spec) for path in paths])


class ShuffledBatches(Sampler[list[int]]):
    """Batches in an order that follows from the seed and the epoch alone, so that it can be had again.

    Args:
        pictures: how many there are.
        batch_size: pictures in one batch; what does not fill a batch waits for another epoch.
        seed: another one gives other orders.
        part: which part of each batch is this process's.
    """

    def __init__(self, pictures: int, batch_size: int, seed: int, part: Part = WHOLE) -> None:
        self._pictures = pictures
        self._batch_size = min(batch_size, pictures)
        self._seed = seed
        self._part = part
        self._epoch = 0
        self._done = 0

    @property
    def sampler(self) -> "ShuffledBatches":
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        if epoch != self._epoch:
            self._epoch, self._done = epoch, 0

    def go_on(self, epoch: int, batches_done: int) -> None:
        """Begin within an epoch, after the batches that an interrupted run has seen of it."""
        self._epoch, self._done = epoch, batches_done

    def __len__(self) -> int:
        return self._pictures // self._batch_size

    def __iter__(self) -> Iterator[list[int]]:
        order = np.random.default_rng([self._seed, self._epoch]).permutation(self._pictures)
        for batch in range(self._done, len(self)):
            yield order[batch * self._batch_size :][: self._batch_size][self._part.slice].tolist()


def training_loader(
    data_set: DataSet, *, batch_size: int, workers: int, seed: int, part: Part = WHOLE
) -> "DataLoader[Batch] | StreamedBatches":
    """The train split, shuffled anew in each epoch.

    Args:
        data_set: the pictures.
        batch_size: pictures in one batch of all processes together.
        workers: processes that decode when nothing is cached; -1 for one a CPU.
        seed: of the order.
        part: which part of each batch is this process's.

    Raises:
        ConfigError: pictures are streamed, and there are fewer streams than processes.
    """
    if data_set.shards:
        from animals.training.streaming import streaming_loader  # only now: it imports this module

        shards = data_set.shards
        return streaming_loader(data_set, shards, batch_size=batch_size, workers=workers, seed=seed, part=part)
    pictures = PictureRows(data_set, data_set.rows("train"))
    return _loader(pictures, workers, batch_sampler=ShuffledBatches(len(pictures), batch_size, seed, part))


def evaluation_loader(
    data_set: DataSet, split: str, *, batch_size: int, workers: int, part: Part = WHOLE
) -> DataLoader[Batch]:
    """All pictures of a split, in the manifest's order.

    Args:
        data_set: the pictures.
        split: `train`, `val` or `test`.
        batch_size: pictures in one batch; the last one may have fewer.
        workers: processes that decode when nothing is cached; -1 for one a CPU.
        part: which part of the split is this process's.
    """
    return _loader(PictureRows(data_set, data_set.rows(split)[part.slice]), workers, batch_size=batch_size)


def _loader(pictures: PictureRows, workers: int, **batches: Any) -> DataLoader[Batch]:
    if pictures.cached:
        workers = 0  # copying from the cache takes less time than handing over between processes
    elif workers < 0:
        workers = available_cpus()
    return DataLoader(
        pictures,
        collate_fn=_as_is,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=torch.cuda.is_available(),
        **batches,
    )


def _as_is(batch: Any) -> Any:
    return batch
