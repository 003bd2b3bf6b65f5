"""Numbers that describe a picture, for slices and drift detection."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FEATURES: Final = ("brightness", "contrast", "sharpness")

# ITU-R BT.601, as Pillow's conversion to grey uses
_GREY_WEIGHTS: Final = np.array([0.299, 0.587, 0.114], np.float32)


def picture_features(pixels: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """Return the features of pictures at the model's size, so that pictures of any original size are comparable.

    Args:
        pixels: shape (pictures, side, side, 3).

    Returns:
        An array of shape (pictures,) for each name in `FEATURES`: mean and standard deviation of the grey values in
        [0, 1], and standard deviation of their Laplacian.
    """
    return _grey_features(pixels @ (_GREY_WEIGHTS / np.float32(255)))


def prepared_features(
    prepared: NDArray[np.float32], mean: Sequence[float], std: Sequence[float]
) -> dict[str, NDArray[np.float32]]:
    """Return the same features, computed from a model's input instead of pixels.

    Args:
        prepared: shape (pictures, 3, side, side).
        mean: mean of each channel that was subtracted.
        std: standard deviation of each channel by which was divided.
    """
    pictures, _, *sides = prepared.shape
    # one product undoes the normalization and weighs the channels
    weights = _GREY_WEIGHTS * np.asarray(std, np.float32)
    grey = weights @ prepared.reshape(pictures, 3, -1)
    features = _grey_features(grey.reshape(pictures, *sides))
    features["brightness"] += _GREY_WEIGHTS @ np.asarray(mean, np.float32)  # the others do not depend on the mean
    return features


def _grey_features(grey: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Return the features of grey pictures, shape (pictures, side, side), which are overwritten.

    It runs for every request, so it makes as few passes over the picture as possible.
    """
    height, width = grey.shape[1:]
    flat = grey.reshape(len(grey), -1)
    brightness = flat.mean(axis=1)
    flat -= brightness[:, None]  # does not change the Laplacian
    contrast = np.sqrt(_squares(flat) / flat.shape[1])
    # rows are contiguous, so each neighbour of a pixel is at a constant offset
    laplacian = flat[:, : -2 * width] + flat[:, 2 * width :]
    laplacian += flat[:, width - 1 : -width - 1]
    laplacian += flat[:, width + 1 : flat.shape[1] - width + 1]
    flat *= 4
    laplacian -= flat[:, width:-width]
    rows = laplacian.reshape(len(flat), height - 2, width)
    rows[:, :, 0] = rows[:, :, -1] = 0  # one of their neighbours is in another row
    pixels = (height - 2) * (width - 2)
    mean = laplacian.sum(axis=1) / pixels
    sharpness = np.sqrt(np.maximum(_squares(laplacian) / pixels - mean**2, 0))
    return {"brightness": brightness, "contrast": contrast, "sharpness": sharpness}


def _squares(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the sum of squares of each row."""
    return np.asarray(np.vecdot(values, values))
