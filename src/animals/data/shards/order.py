"""Which picture comes when: an order that follows from the seed and the epoch, whoever reads it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Segment:
    """Some pictures of one shard that follow each other: from `first` on, before `stop`."""

    shard: int
    first: int
    stop: int


class ShardOrder:
    """How each epoch goes once through all pictures.

    The shards are laid behind each other in an order drawn for the epoch, and this line is cut into `streams` pieces.
    Each batch takes from every stream: its picture `j` from stream `j` modulo `streams`. Whoever has some of the
    streams, be it one process with one worker or many, so has its part of every batch, of the same size each time,
    and nobody else has it.

    Args:
        counts: pictures in each shard.
        batch_size: pictures in one batch, at most. There are as many batches as that takes, and their sizes differ by
            one picture at most: all pictures are seen, and no batch is too small to learn from.
        streams: fewer where a batch has not so many pictures.
        seed: another one gives other orders.
    """

    def __init__(self, counts: Sequence[int], batch_size: int, streams: int, seed: int) -> None:
        self._counts = np.array(counts, np.int64)
        self.seed = seed
        pictures = int(self._counts.sum())
        self.batches = math.ceil(pictures / batch_size)
        self.sizes: NDArray[np.int64] = np.diff(np.arange(self.batches + 1) * pictures // self.batches)
        self.streams = min(streams, int(self.sizes.min()))

    def shares(self, stream: int) -> NDArray[np.int64]:
        """Pictures of each batch that come from a stream, shape (batches,)."""
        return (self.sizes - stream + self.streams - 1) // self.streams

    def segments(self, epoch: int, stream: int, skip: int) -> Iterator[Segment]:
        """Where a stream's pictures lie, one after the other.

        Args:
            epoch: which.
            stream: which.
            skip: pictures at its beginning to leave out.
        """
        start = sum(int(self.shares(other).sum()) for other in range(stream))
        first, stop = start + skip, start + int(self.shares(stream).sum())
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self._counts))
        ends = np.cumsum(self._counts[order])
        for place in range(int(np.searchsorted(ends, first, side="right")), len(order)):
            if first >= stop:
                return
            shard, end = int(order[place]), int(ends[place])
            begin = end - int(self._counts[shard])
            yield Segment(shard, first - begin, min(stop, end) - begin)
            first = end

    def shuffled(self, epoch: int, stream: int, window: int, pictures: int) -> NDArray[np.int64]:
        """The order of the pictures in one window of a stream.

        Args:
            epoch: which.
            stream: which.
            window: its number in the stream.
            pictures: in it.
        """
        return np.random.default_rng([self.seed, epoch, stream, window]).permutation(pictures)
