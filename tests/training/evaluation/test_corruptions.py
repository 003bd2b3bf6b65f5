"""Each corruption changes a picture, and the more so the higher its severity."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from animals.training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Corruption

EACH = pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)


def picture(side: int, seed: int = 0) -> np.ndarray:
    """Shapes on a slope, with grain: something to lose at each scale."""
    slope = np.linspace(60, 190, side)[:, None, None] * np.ones((1, side, 3))
    grain = np.random.default_rng(seed).normal(0, 6, (side, side, 3))
    image = Image.fromarray(np.clip(slope + grain, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.ellipse((side * 0.1, side * 0.2, side * 0.5, side * 0.7), fill=(200, 60, 40))
    draw.rectangle((side * 0.6, side * 0.1, side * 0.9, side * 0.4), fill=(30, 90, 160))
    draw.line((0, side * 0.9, side, side * 0.6), fill=(240, 230, 90), width=max(1, side // 24))
    return np.asarray(image)


@EACH
@pytest.mark.parametrize("side", [32, 64, 224])
def test_each_severity_is_further_from_the_picture_than_the_one_before(corruption: Corruption, side: int) -> None:
    pixels = np.stack([picture(side, seed) for seed in range(3)])
    seeds = np.arange(3)
    distances = [
        np.abs(corruption(pixels, severity, seeds).astype(float) - pixels).mean(axis=(1, 2, 3))
        for severity in SEVERITIES
    ]
    assert (distances[0] > 0.3).all()
    assert (np.diff(distances, axis=0) > 0).all()


@EACH
@pytest.mark.parametrize("side", [8, 33])
def test_shape_and_type_stay_and_the_picture_is_not_modified(corruption: Corruption, side: int) -> None:
    pixels = np.stack([picture(side), np.zeros((side, side, 3), np.uint8), np.full((side, side, 3), 255, np.uint8)])
    before = pixels.copy()
    for severity in SEVERITIES:
        corrupted = corruption(pixels, severity, np.arange(3))
        assert corrupted.shape == pixels.shape
        assert corrupted.dtype == np.uint8
    np.testing.assert_array_equal(pixels, before)


@EACH
def test_the_same_seed_gives_the_same_picture_at_any_index(corruption: Corruption) -> None:
    pixels = np.stack([picture(32)] * 3)
    corrupted = corruption(pixels, 3, np.array([7, 8, 7]))
    np.testing.assert_array_equal(corrupted[0], corrupted[2])
    np.testing.assert_array_equal(corrupted[1], corruption(pixels[:1], 3, np.array([8]))[0])


@pytest.mark.parametrize("name", ["gaussian noise", "shot noise", "motion blur", "fog"])
def test_another_seed_gives_another_picture(name: str) -> None:
    (corruption,) = (each for each in CORRUPTIONS if each.name == name)
    corrupted = corruption(np.stack([picture(32)] * 2), 3, np.array([1, 2]))
    assert (corrupted[0] != corrupted[1]).any()


def test_noise_has_the_standard_deviation_that_it_says() -> None:
    (noise,) = (each for each in CORRUPTIONS if each.name == "gaussian noise")
    grey = np.full((1, 100, 100, 3), 128, np.uint8)
    corrupted = noise(grey, 3, np.array([0]))
    assert corrupted.std() / 255 == pytest.approx(noise.amounts[2], rel=0.03)
    assert corrupted.mean() == pytest.approx(128, abs=1)


@pytest.mark.parametrize("name", ["gaussian blur", "motion blur", "pixelate"])
def test_what_blurs_keeps_the_brightness_and_loses_detail(name: str) -> None:
    (blur,) = (each for each in CORRUPTIONS if each.name == name)
    sharp = picture(64)
    blurred = blur(sharp[None], 5, np.array([0]))[0]
    assert blurred.mean() == pytest.approx(sharp.mean(), abs=2)
    steps_after, steps_before = (np.abs(np.diff(pixels.astype(float), axis=1)).mean() for pixels in (blurred, sharp))
    assert steps_after < 0.6 * steps_before
