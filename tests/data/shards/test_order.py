"""Which picture comes when: all of them once, the same again for the same seed."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from animals.data.shards.order import ShardOrder

UNEVEN = [7, 1, 12, 5, 5, 3, 20]


def stream_pictures(order: ShardOrder, counts: Sequence[int], stream: int, epoch: int = 0, skip: int = 0) -> list[int]:
    """The numbers of a stream's pictures among all, in its order."""
    starts = np.cumsum([0, *counts])
    segments = order.segments(epoch, stream, skip)
    return [int(starts[it.shard]) + index for it in segments for index in range(it.first, it.stop)]


@pytest.mark.parametrize("counts", [UNEVEN, [1], [53], [1] * 53, [10, 10]])
@pytest.mark.parametrize(("batch_size", "streams"), [(8, 3), (64, 16), (2, 5), (53, 1), (7, 7)])
def test_the_streams_have_every_picture_once(counts: list[int], batch_size: int, streams: int) -> None:
    order = ShardOrder(counts, batch_size, streams, seed=0)
    seen = Counter(index for stream in range(order.streams) for index in stream_pictures(order, counts, stream))
    assert seen == Counter(range(sum(counts)))


@pytest.mark.parametrize(
    ("batch_size", "streams", "sizes"),
    [(53, 4, {53}), (52, 4, {26, 27}), (10, 4, {8, 9}), (100, 4, {53}), (4, 3, {3, 4})],
)
def test_batches_are_no_larger_than_asked_for_and_differ_by_one(batch_size: int, streams: int, sizes: set[int]) -> None:
    order = ShardOrder(UNEVEN, batch_size, 4, seed=0)
    assert order.streams == streams, "no more than the pictures of a batch"
    assert set(order.sizes.tolist()) == sizes
    assert order.sizes.sum() == 53
    assert len(order.sizes) == order.batches
    np.testing.assert_array_equal(sum(order.shares(stream) for stream in range(streams)), order.sizes)


@pytest.mark.parametrize("skip", [1, 7, 12, 13, 14])
def test_a_stream_resumes_after_any_picture(skip: int) -> None:
    order = ShardOrder(UNEVEN, 10, 4, seed=0)
    assert stream_pictures(order, UNEVEN, 2, skip=skip) == stream_pictures(order, UNEVEN, 2)[skip:]


def test_only_the_shards_that_are_needed_are_read() -> None:
    order = ShardOrder([10] * 100, 10, 10, seed=0)
    assert [len(list(order.segments(0, stream, 0))) for stream in range(10)] == [10] * 10
    assert list(order.segments(0, 3, 100)) == []
