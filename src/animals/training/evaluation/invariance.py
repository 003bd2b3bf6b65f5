"""The share of pictures whose predicted label changes with something that should not matter."""

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from animals.training.evaluation.corruptions import jpeg
from animals.training.evaluation.predictors import Predict
from animals.training.evaluation.records import Share
from animals.training.evaluation.statistics import share_of

Pictures = NDArray[np.uint8]
"""Shape (pictures, side, side, 3)."""


def mirror(pixels: Pictures) -> Pictures:
    """Swap left and right."""
    return np.ascontiguousarray(pixels[:, :, ::-1])


def shift(pixels: Pictures) -> Pictures:
    """Shift to the right by 1/16 of the side, and fill the left with the mirror image."""
    by = max(1, pixels.shape[2] // 16)
    return np.pad(pixels, ((0, 0), (0, 0), (by, 0), (0, 0)), "symmetric")[:, :, :-by]


def compress(pixels: Pictures) -> Pictures:
    """Compress as JPEG of quality 70."""
    return np.stack([jpeg(picture, 70, np.random.default_rng(0)) for picture in pixels])


CHANGES: Final[dict[str, Callable[[Pictures], Pictures]]] = {
    "mirrored": mirror,
    "shifted by 1/16": shift,
    "saved as JPEG of quality 70": compress,
}


def measure_changes(predict: Predict, pixels: Pictures) -> dict[str, Share]:
    """Measure for each of `CHANGES` the share of the pictures whose predicted label is another one with it."""
    before = predict(pixels).argmax(1)
    return {name: share_of(predict(change(pixels)).argmax(1) != before) for name, change in CHANGES.items()}
