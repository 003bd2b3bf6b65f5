"""The order of the training pictures in shards: it depends only on the seed and the epoch."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive pictures of one shard: from `first` up to and without `stop`."""

    shard: int
    first: int
    stop: int


class ShardOrder:
    """The order in which each epoch reads all pictures once.

    The shards are concatenated in an order drawn for the epoch, and this sequence is cut into `streams` pieces. Picture
    `j` of each batch is from stream `j` modulo `streams`. So a process with some of the streams, with one worker or
    many, has its own part of every batch, always of the same size.

    Args:
        counts: number of pictures in each shard.
        batch_size: largest number of pictures in a batch. The sizes of the batches differ by one picture at most: all
            pictures are used, and no batch is too small to learn from.
        streams: number of streams; fewer if a batch has fewer pictures.
        seed: seed of the order.
    """

    def __init__(self, counts: Sequence[int], batch_size: int, streams: int, seed: int) -> None:
        self._counts = np.array(counts, np.int64)
        self.seed = seed
        pictures = int(self._counts.sum())
        self.batches = math.ceil(pictures / batch_size)
        self.sizes: NDArray[np.int64] = np.diff(np.arange(self.batches + 1) * pictures // self.batches)
        self.streams = min(streams, int(self.sizes.min()))

    def shares(self, stream: int) -> NDArray[np.int64]:
        """Return the number of pictures of each batch that are from a stream, shape (batches,)."""
        return (self.sizes - stream + self.streams - 1) // self.streams

    def segments(self, epoch: int, stream: int, skip: int) -> Iterator[Segment]:
        """Yield the segments with the pictures of a stream, without the first `skip` pictures."""
        start = sum(int(self.shares(other).sum()) for other in range(stream))
        first, stop = start + skip, start + int(self.shares(stream).sum())
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self._counts))
        ends = np.cumsum(self._counts[order])
        for index in range(int(np.searchsorted(ends, first, side="right")), len(order)):
            if first >= stop:
                return
            shard, end = int(order[index]), int(ends[index])
            begin = end - int(self._counts[shard])
            yield Segment(shard, first - begin, min(stop, end) - begin)
            first = end

    def shuffled(self, epoch: int, stream: int, window: int, pictures: int) -> NDArray[np.int64]:
        """Return the order of the pictures in window number `window` of a stream."""
        return np.random.default_rng([self.seed, epoch, stream, window]).permutation(pictures)
