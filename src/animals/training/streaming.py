"""Batches of training pictures that are streamed from shards, for torch."""

import signal
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from animals.cpus import available_cpus
from animals.data.dataset import DataSet
from animals.data.shards.index import ShardSet
from animals.data.shards.order import ShardOrder
from animals.data.shards.stream import ShardPicture, read_stream
from animals.errors import AnimalsError, ConfigError, PictureError, PicturesUnavailable
from animals.preprocess import InputSpec, read_pixels
from animals.training.loader import Batch, Part


def streaming_loader(
    data_set: DataSet, shards: ShardSet, *, batch_size: int, workers: int, seed: int, part: Part
) -> "StreamedBatches":
    """The training pictures of some shards, shuffled anew in each epoch; arguments as for `training_loader`.

    Raises:
        ConfigError: there are fewer streams than processes.
    """
    order = ShardOrder([shard.pictures for shard in shards.of("train")], batch_size, shards.streams, seed)
    if order.streams < part.of:
        raise ConfigError(
            f"{part.of} processes cannot share {order.streams} streams of pictures. Set data.streams and "
            f"trainer.batch_size to {part.of} or more."
        )
    streams = list(range(part.number, order.streams, part.of))
    pictures = StreamedPictures(shards, data_set.spec, order, streams)
    return StreamedBatches(pictures, available_cpus() if workers < 0 else workers)


class StreamedPictures(IterableDataset["Batch | AnimalsError"]):
    """What some streams give to each batch; with several workers, each has some of the streams.

    Args:
        shards: where the pictures are.
        spec: the size that they are brought to.
        order: which picture comes when.
        streams: of the order.
    """

    def __init__(self, shards: ShardSet, spec: InputSpec, order: ShardOrder, streams: list[int]) -> None:
        self.order = order
        self.streams = streams
        self._shards = shards
        self._spec = spec
        self._target = {label: place for place, label in enumerate(shards.labels)}
        # workers live for many epochs, and look here where to begin
        self._start = torch.zeros(2, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def start(self) -> tuple[int, int]:
        """The epoch, and the batches of it that were seen."""
        epoch, done = self._start.tolist()
        return epoch, done

    @start.setter
    def start(self, start: tuple[int, int]) -> None:
        self._start.copy_(torch.tensor(start))

    def __iter__(self) -> Iterator["Batch | AnimalsError"]:
        worker = get_worker_info()
        streams = self.streams[worker.id :: worker.num_workers] if worker else self.streams
        try:
            yield from self._batches(streams)
        except AnimalsError as error:  # torch would hand on its traceback as the message
            yield error

    def _batches(self, streams: list[int]) -> Iterator[Batch]:
        epoch, done = self.start
        order = self.order
        sources = [read_stream(self._shards, order, epoch, stream, done=done) for stream in streams]
        shares = np.stack([order.shares(stream) for stream in streams], axis=1)
        for batch in shares[done:]:
            pictures = [next(source) for source, share in zip(sources, batch, strict=True) for _ in range(share)]
            pixels = np.stack([self._decode(picture) for picture in pictures])
            yield torch.from_numpy(pixels), torch.tensor([self._target[picture.label] for picture in pictures])

    def _decode(self, picture: ShardPicture) -> NDArray[np.uint8]:
        try:
            return read_pixels(picture.data, self._spec)
        except PictureError as error:
            raise PicturesUnavailable(f"{picture.name} in a shard of {self._shards.url}: {error}") from error


class StreamedBatches:
    """The batches of one process, in an order that follows from the seed and the epoch alone.

    To Lightning and to what goes on with a run it looks like a loader whose sampler it is itself.

    Args:
        pictures: the streams of this process.
        workers: processes that read and decode them.
    """

    def __init__(self, pictures: StreamedPictures, workers: int) -> None:
        self._pictures = pictures
        workers = min(workers, len(pictures.streams))
        self._loader: DataLoader[Batch | AnimalsError] = DataLoader(
            pictures,
            batch_size=None,  # they are batches already
            collate_fn=_as_is,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=_start_worker if workers else None,
        )
        self._parts = [pictures.streams[worker :: max(workers, 1)] for worker in range(max(workers, 1))]
        self._places = {int(size): self._in_order(int(size)) for size in np.unique(pictures.order.sizes)}

    def _in_order(self, size: int) -> Tensor:
        """What brings a batch of some size from the order of the workers into that of the streams.

        So the order of a batch does not depend on how many workers there are.
        """
        streams = self._pictures.order.streams
        found = [np.repeat(part, [len(range(stream, size, streams)) for stream in part]) for part in self._parts]
        return torch.from_numpy(np.concatenate(found).argsort(kind="stable"))

    @property
    def batch_sampler(self) -> "StreamedBatches":
        """Where the order is said to be, as in a DataLoader."""
        return self

    @property
    def sampler(self) -> "StreamedBatches":
        """Where Lightning looks for `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning at the start of each epoch."""
        if epoch != self._pictures.start[0]:
            self._pictures.start = epoch, 0

    def go_on(self, epoch: int, batches_done: int) -> None:
        """Begin within an epoch, after the batches that an interrupted run has seen of it."""
        self._pictures.start = epoch, batches_done

    def __len__(self) -> int:
        return self._pictures.order.batches

    def __iter__(self) -> Iterator[Batch]:
        _, done = self._pictures.start
        parts = iter(self._loader)
        for size in self._pictures.order.sizes[done:]:
            yield _joined([_checked(next(parts)) for _ in self._parts], self._places[int(size)])


def _joined(parts: list[Batch], places: Tensor) -> Batch:
    pixels, targets = (torch.cat(tensors)[places] for tensors in zip(*parts, strict=True))
    return (pixels.pin_memory(), targets.pin_memory()) if torch.cuda.is_available() else (pixels, targets)


def _checked(part: Any) -> Batch:
    if isinstance(part, AnimalsError):
        raise part
    return part  # type: ignore[no-any-return]


def _as_is(batch: Any) -> Any:
    return batch


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the one that trains decides
