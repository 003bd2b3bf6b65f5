"""A few numbers that describe a picture: what slices and drift detection compare."""

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
    grey = (pixels @ _GREY_WEIGHTS) / 255
    inner = grey[:, 1:-1, 1:-1]
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:] - 4 * inner
    return {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "sharpness": laplacian.std(axis=(1, 2)),
    }
