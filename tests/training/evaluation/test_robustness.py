"""Accuracy on corrupted pictures, and labels that should not change, with models whose predictions are known."""

import numpy as np
import pytest

from animals.training.evaluation.corruptions import CORRUPTIONS, measure_robustness
from animals.training.evaluation.invariance import CHANGES, compress, measure_changes, mirror, shift


def grey(*values: int, side: int = 16) -> np.ndarray:
    """One plain picture a value."""
    return np.stack([np.full((side, side, 3), value, np.uint8) for value in values])


def is_bright(pixels: np.ndarray) -> np.ndarray:
    """A model: label 1 from a mean of 100 on."""
    bright = pixels.mean(axis=(1, 2, 3)) >= 100
    return np.stack([~bright, bright], 1).astype(np.float64)


def is_brighter_on_the_left(pixels: np.ndarray) -> np.ndarray:
    half = pixels.shape[2] // 2
    left = pixels[:, :, :half].mean(axis=(1, 2, 3)) > pixels[:, :, half:].mean(axis=(1, 2, 3))
    return np.stack([~left, left], 1).astype(np.float64)


def test_only_what_moves_a_picture_over_the_models_border_costs_accuracy() -> None:
    pixels, targets = grey(*[40] * 50, *[150] * 50), np.repeat([0, 1], 50)
    robustness = measure_robustness(is_bright, pixels, targets, np.arange(100))
    assert (robustness.pictures, robustness.clean) == (100, 1.0)
    assert robustness.accuracy["darker"] == (1.0, 0.5, 0.5, 0.5, 0.5)  # 0.7 * 150 is still over 100
    assert robustness.accuracy["gaussian blur"] == (1.0,) * 5
    assert robustness.accuracy["brighter"][-1] == 0.5
    assert list(robustness.accuracy) == [corruption.name for corruption in CORRUPTIONS]


def test_the_mean_is_over_all_corruptions_and_severities() -> None:
    pixels, targets = grey(40, 150), np.array([0, 1])
    robustness = measure_robustness(is_bright, pixels, targets, np.arange(2))
    assert robustness.mean == pytest.approx(np.mean([share for row in robustness.accuracy.values() for share in row]))
    assert robustness == measure_robustness(is_bright, pixels, targets, np.arange(2))


def test_a_model_that_knows_left_from_right_is_caught_by_the_mirror() -> None:
    pixels = grey(*[100] * 8)
    pixels[:6, :, :8] = 200  # two pictures are the same on both sides
    changed = measure_changes(is_brighter_on_the_left, pixels)
    assert changed["mirrored"].count == 6
    assert changed["mirrored"].pictures == 8
    assert changed["shifted by 1/16"].count == 0
    assert list(changed) == list(CHANGES)


def test_a_mirror_image_twice_is_the_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), dtype=np.uint8)
    assert (mirror(pixels) != pixels).any()
    np.testing.assert_array_equal(mirror(mirror(pixels)), pixels)


@pytest.mark.parametrize(("side", "by"), [(64, 4), (32, 2), (8, 1)])
def test_a_shift_moves_everything_by_a_sixteenth_to_the_right(side: int, by: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    shifted = shift(pixels)
    assert shifted.shape == pixels.shape
    np.testing.assert_array_equal(shifted[:, :, by:], pixels[:, :, :-by])
    np.testing.assert_array_equal(shifted[:, :, :by], pixels[:, :, by - 1 :: -1][:, :, :by])


def test_compressing_changes_a_picture_a_little() -> None:
    pixels = np.random.default_rng(0).integers(100, 156, (2, 16, 16, 3), dtype=np.uint8)
    distance = np.abs(compress(pixels).astype(float) - pixels)
    assert 0 < distance.mean() < 20
