"""Intervals and tests give the numbers of textbooks."""

import numpy as np
import pytest

from animals.training.evaluation.statistics import adjust, p_lower, p_mcnemar, share_of, spread_sample


def flags(true: int, false: int) -> np.ndarray:
    return np.repeat([True, False], [true, false])


@pytest.mark.parametrize(
    ("right", "pictures", "low", "high"),
    [
        (8, 10, 0.4902, 0.9433),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (1, 1, 0.2065, 1.0),
        (90, 100, 0.8256, 0.9448),
    ],
)
def test_the_interval_of_a_share_is_wilsons(right: int, pictures: int, low: float, high: float) -> None:
    share = share_of(flags(right, pictures - right))
    assert (share.count, share.pictures, share.share) == (right, pictures, right / pictures)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


def test_fishers_test_is_one_sided() -> None:
    assert p_lower(flags(0, 3), flags(3, 0)) == pytest.approx(1 / 20)
    assert p_lower(flags(3, 0), flags(0, 3)) == pytest.approx(1)


def test_p_values_are_adjusted_for_their_number() -> None:
    assert adjust([0.01, 0.5]) == pytest.approx([0.02, 0.5])


@pytest.mark.parametrize(
    ("only_this", "only_other", "expected"), [(0, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (3, 3, 1.0)]
)
def test_mcnemars_test_is_exact(only_this: int, only_other: int, expected: float) -> None:
    assert p_mcnemar(only_this, only_other) == pytest.approx(expected)


def test_a_sample_has_of_each_label_its_share_and_no_picture_twice() -> None:
    targets = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [600, 300, 100]))
    sample = spread_sample(targets, 100)
    assert np.bincount(targets[sample]).tolist() == [60, 30, 10]
    assert (np.diff(sample) > 0).all()
    np.testing.assert_array_equal(sample, spread_sample(targets, 100))
    assert sample.tolist() != np.arange(0, 1000, 10).tolist()


def test_a_sample_of_more_than_there_are_is_all_of_them() -> None:
    assert spread_sample(np.array([1, 0, 1]), 5).tolist() == [0, 1, 2]
