from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from PIL import Image

from animals.data.sample.backgrounds import PAINTERS
from animals.data.sample.drawings import Drawing
from animals.data.sample.scenes import SIZES, compose, compose_empty, warp

CAT = Drawing("noto", "gatto", "cat")
SPIDER = Drawing("noto", "ragno", "spider")


@pytest.mark.parametrize("painter", PAINTERS)
def test_a_background_fills_its_picture_and_is_not_plain(
    painter: Callable[[np.random.Generator, int, int], Image.Image],
) -> None:
    for seed in range(6):
        picture = painter(np.random.default_rng(seed), 90, 60)
        assert (picture.mode, picture.size) == ("RGB", (90, 60))
        assert np.ptp(np.asarray(picture), axis=(0, 1)).max() > 10


@pytest.mark.parametrize("paint", [compose_empty, partial(compose, CAT)])
def test_the_same_generator_composes_the_same_picture(paint: Callable[[np.random.Generator], Image.Image]) -> None:
    first, again, other = (paint(np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert {first.size, other.size} <= SIZES.keys()
    assert np.ptp(np.asarray(first), axis=(0, 1)).max() > 10


def test_pictures_have_the_sizes_promised_and_most_lie() -> None:
    sizes = [compose(CAT, np.random.default_rng(seed)).size for seed in range(40)]
    assert set(sizes) <= SIZES.keys()
    assert sizes.count((300, 225)) > 20
    assert (225, 300) in sizes


def test_only_the_animal_differs_when_only_the_drawing_does() -> None:
    cat, spider = (np.asarray(compose(it, np.random.default_rng(3)), np.int16) for it in (CAT, SPIDER))
    differs = np.abs(cat - spider).max(axis=2) > 60
    assert 0.05 < differs.mean() < 0.8


def test_a_warp_moves_the_corners_to_the_given_points() -> None:
    quarters = np.zeros((40, 40, 4), np.uint8)
    quarters[..., 3] = 255
    quarters[:20, :20, 0] = quarters[:20, 20:, 1] = quarters[20:, 20:, 2] = 255
    # upper left goes right, and so on: a quarter turn clockwise
    turned = np.asarray(warp(Image.fromarray(quarters), np.array([(40.0, 0.0), (40.0, 40.0), (0.0, 40.0), (0.0, 0.0)])))
    assert turned[10, 30, 0] == turned[30, 30, 1] == turned[30, 10, 2] == 255
