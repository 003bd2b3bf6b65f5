"""Rows drawn at random, each with the same chance, however the tables come."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from animals.monitoring.tables import Sample

SCHEMA = pa.schema({"x": pa.int64()})


def numbers(first: int, last: int) -> pa.Table:
    return pa.table({"x": np.arange(first, last)}, SCHEMA)


def drawn(size: int, *bounds: int) -> list[int]:
    sample = Sample(SCHEMA, size)
    for first, last in pairwise(bounds):
        sample.add(numbers(first, last))
    assert sample.seen == bounds[-1]
    values: list[int] = sample.table["x"].to_pylist()
    return values


@pytest.mark.parametrize("bounds", [(0, 0), (0, 5), (0, 0, 5, 5, 9), (0, 10)])
def test_all_are_kept_while_they_fit(bounds: tuple[int, ...]) -> None:
    assert drawn(10, *bounds) == list(range(bounds[-1]))


def test_no_row_is_drawn_twice_and_never_more_than_fit() -> None:
    values = drawn(10, 0, 7, 8, 100, 101, 1000)
    assert len(set(values)) == 10


def test_each_row_has_the_same_chance_whichever_table_it_is_in() -> None:
    values = np.array(drawn(2000, 0, 1000, 9000, 20_000))
    shares = [np.mean((values >= first) & (values < last)) for first, last in ((0, 1000), (1000, 9000), (9000, 20_000))]
    assert shares == pytest.approx([0.05, 0.4, 0.55], abs=0.035)  # three standard deviations
    assert np.mean(values % 10) == pytest.approx(4.5, abs=0.2)


def test_the_same_tables_give_the_same_sample() -> None:
    assert drawn(10, 0, 50, 100) == drawn(10, 0, 50, 100)
