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
from animals.data.shards.index import ShardSet
from animals.data.shards.order import ShardOrder
from animals.data.shards.stream import ShardPicture, read_stream
from animals.errors import AnimalsError, ConfigError, PictureError, PicturesUnavailable
from animals.preprocess import InputSpec, read_pixels
from animals.training.loader import Batch, keep_batch


def streaming_loader(
    shards: ShardSet,
    spec: InputSpec,
    *,
    batch_size: int,
    workers: int,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
) -> "StreamedBatches":
    """Return the training pictures of some shards, shuffled anew in each epoch; args as for `training_loader`.

    Raises:
        ConfigError: there are fewer streams than processes.
    """
    order = ShardOrder([shard.pictures for shard in shards.of("train")], batch_size, shards.streams, seed)
    if order.streams < world_size:
        raise ConfigError(
            f"{world_size} processes cannot share {order.streams} streams of pictures. Set data.streams and "
            f"trainer.batch_size to {world_size} or more."
        )
    pictures = StreamedPictures(shards, spec, order, streams=list(range(rank, order.streams, world_size)))
    return StreamedBatches(pictures, available_cpus() if workers < 0 else workers)


class StreamedPictures(IterableDataset["Batch | AnimalsError"]):
    """The pictures of some streams, in parts of batches; several workers divide the streams among them.

    `streams` are the numbers of those that this process reads.
    """

    def __init__(self, shards: ShardSet, spec: InputSpec, order: ShardOrder, streams: list[int]) -> None:
        self.order = order
        self.streams = streams
        self._shards = shards
        self._spec = spec
        self._target = {label: index for index, label in enumerate(shards.labels)}
        # shared memory: workers live for many epochs, and read here where each begins
        self._start = torch.zeros(2, dtype=torch.int64).share_memory_()  # type: ignore[no-untyped-call]

    @property
    def start(self) -> tuple[int, int]:
        """The epoch, and the number of its batches to skip."""
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
        except AnimalsError as error:  # raised in a worker, its message would be torch's text of the traceback
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

    Lightning and `ResumeMidEpoch` use it like a DataLoader that is its own sampler.
    """

    def __init__(self, pictures: StreamedPictures, workers: int) -> None:
        self._pictures = pictures
        workers = min(workers, len(pictures.streams))
        self._loader: DataLoader[Batch | AnimalsError] = DataLoader(
            pictures,
            batch_size=None,  # they are batches already
            collate_fn=keep_batch,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context="spawn" if workers else None,
            worker_init_fn=_start_worker if workers else None,
        )
        self._parts = [pictures.streams[worker :: max(workers, 1)] for worker in range(max(workers, 1))]
        self._permutations = {int(size): self._stream_order(int(size)) for size in np.unique(pictures.order.sizes)}

    def _stream_order(self, size: int) -> Tensor:
        """Return the permutation from the workers' order of a batch of that size to the streams' order.

        With it the order within a batch does not depend on the number of workers.
        """
        streams = self._pictures.order.streams
        parts = [np.repeat(part, [len(range(stream, size, streams)) for stream in part]) for part in self._parts]
        return torch.from_numpy(np.concatenate(parts).argsort(kind="stable"))

    @property
    def batch_sampler(self) -> "StreamedBatches":
        """This object, by its name in a DataLoader."""
        return self

    @property
    def sampler(self) -> "StreamedBatches":
        """This object: Lightning calls its `set_epoch`."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Start an epoch; Lightning calls this at the start of each."""
        if epoch != self._pictures.start[0]:
            self._pictures.start = epoch, 0

    def resume(self, epoch: int, batches_done: int) -> None:
        """Start within an epoch, after the batches that an interrupted run has trained on."""
        self._pictures.start = epoch, batches_done

    def __len__(self) -> int:
        return self._pictures.order.batches

    def __iter__(self) -> Iterator[Batch]:
        _, done = self._pictures.start
        parts = iter(self._loader)
        for size in self._pictures.order.sizes[done:]:
            yield _join([_check(next(parts)) for _ in self._parts], self._permutations[int(size)])


def _join(parts: list[Batch], permutation: Tensor) -> Batch:
    pixels, targets = (torch.cat(tensors)[permutation] for tensors in zip(*parts, strict=True))
    return (pixels.pin_memory(), targets.pin_memory()) if torch.cuda.is_available() else (pixels, targets)


def _check(part: Any) -> Batch:
    if isinstance(part, AnimalsError):
        raise part
    return part  # type: ignore[no-any-return]


def _start_worker(_: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the one that trains decides
