"""What should not change an answer: the share of pictures where it does."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from animals.training.evaluation.corruptions import jpeg
from animals.training.evaluation.predictors import Ask
from animals.training.evaluation.records import Share
from animals.training.evaluation.statistics import share_of

Pictures = NDArray[np.uint8]
"""Shape (pictures, side, side, 3)."""


def mirror(pixels: Pictures) -> Pictures:
    """Left and right changed."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


def shift(pixels: Pictures) -> Pictures:
    """To the right by 1/16 of the side; what comes in from the left is the mirror image."""
    by = max(1, pixels.shape[2] // 16)
    return np.pad(pixels, ((0, 0), (0, 0), (by, 0), (0, 0)), "symmetric")[:, :, :-by]


def compress(pixels: Pictures) -> Pictures:
    """As JPEG of quality 70."""
    return np.stack([jpeg(picture, 70, np.random.default_rng(0)) for picture in pixels])


CHANGES: Final[dict[str, Callable[[Pictures], Pictures]]] = {
    "mirrored": mirror,
    "shifted by 1/16": shift,
    "saved as JPEG of quality 70": compress,
}


def measure_changes(ask: Ask, pixels: Pictures) -> dict[str, Share]:
    """For each of `CHANGES`, the pictures that are answered otherwise with it than without."""
    before = ask(pixels).argmax(1)
    return {name: share_of(ask(change(pixels)).argmax(1) != before) for name, change in CHANGES.items()}
