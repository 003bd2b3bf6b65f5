"""A few numbers that describe a picture: what slices and drift detection compare."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEATURES: Final = ("brightness", "contrast", "sharpness")

# ITU-R BT.601, as Pillow's conversion to grey uses
_GREY_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], np.float32)


def picture_features(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Features of pictures at the model's size, so that pictures of any original size compare.

    Args:
        pixels: shape (pictures, side, side, 3).

    Returns:
        For each name in `FEATURES` an array of shape (pictures,): the mean and the standard deviation of the grey
        values in [0, 1], and the standard deviation of their Laplacian.
    """
    return _grey_features(pixels @ (_GREY_WEIGHTS / np.float32(255)))


def prepared_features(
    prepared: NDArray[np.float32], mean: Sequence[float], std: Sequence[float]
) -> dict[str, NDArray[np.float32]]:
    """The same features, taken from a model's input instead of pixels: where only that is at hand.

    Args:
        prepared: shape (pictures, 3, side, side).
        mean: of each colour, that was subtracted.
        std: of each colour, that was divided by.
    """
    pictures, _, *sides = prepared.shape
    # undoing the normalization and weighing the colours is one product
    weights = _GREY_WEIGHTS * np.asarray(std, np.float32)
    grey = weights @ prepared.reshape(pictures, 3, -1)
    found = _grey_features(grey.reshape(pictures, *sides))
    found["brightness"] += _GREY_WEIGHTS @ np.asarray(mean, np.float32)  # the others are the same without it
    return found


def _grey_features(grey: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Of grey pictures, shape (pictures, side, side), which are overwritten.

    This is done for every request, so each pass over the picture counts.
    """
    height, width = grey.shape[1:]
    flat = grey.reshape(len(grey), -1)
    brightness = flat.mean(axis=1)
    flat -= brightness[:, None]  # without which the Laplacian is the same
    contrast = np.sqrt(_squares(flat) / flat.shape[1])
    # Rows lie one after the other, so a neighbour above, below or beside is the same memory a little shifted.
    laplacian = flat[:, : -2 * width] + flat[:, 2 * width :]
    laplacian += flat[:, width - 1 : -width - 1]
    laplacian += flat[:, width + 1 : flat.shape[1] - width + 1]
    flat *= 4
    laplacian -= flat[:, width:-width]
    rows = laplacian.reshape(len(flat), height - 2, width)
    rows[:, :, 0] = rows[:, :, -1] = 0  # their neighbours at one side are in another row
    pixels = (height - 2) * (width - 2)
    mean = laplacian.sum(axis=1) / pixels
    sharpness = np.sqrt(np.maximum(_squares(laplacian) / pixels - mean**2, 0))
    return {"brightness": brightness, "contrast": contrast, "sharpness": sharpness}


def _squares(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Their sum in each row."""
    return np.asarray(np.vecdot(values, values))
