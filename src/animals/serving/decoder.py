"""Decode what a client sends into the model's input."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from animals.errors import NotAPicture
from animals.preprocess import InputSpec, decode_picture, preprocess

MAX_VALUE: Final = 1000.0
"""Largest normalized value, positive or negative. Pictures are within 3, and a network's sums could overflow."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """One picture as the model takes it."""

    pixels: NDArray[np.float32]
    """Shape (3, side, side)."""
    size: tuple[int, int]
    """Width and height of the picture as it was sent, upright."""


def decode_file(data: bytes, spec: InputSpec, *, max_pixels: int) -> ModelInput:
    """Decode a picture's file and resize it to the model's size.

    Raises:
        NotAPicture: no decoder reads it, or it ends too early.
        PictureTooLarge: it has more pixels than allowed.
    """
    if not data:
        raise NotAPicture("The file is empty; expected a picture.")
    decoded = decode_picture(data, max_pixels=max_pixels, spec=spec)
    return ModelInput(preprocess(decoded.image, spec, decoded.box), decoded.size)


def decode_pixels(pixels: NDArray[np.float32]) -> ModelInput:
    """Check pixels of shape (3, side, side) that the client has prepared: no value may be far from a picture's."""
    aligned = np.array(pixels, np.float32)  # the request's bytes may lie at any address
    if not np.abs(aligned).max() <= MAX_VALUE:  # also false for NaN
        raise NotAPicture(
            f"A value is infinite, NaN or beyond {MAX_VALUE:g}; expected normalized values, which are about -3 to 3."
        )
    height, width = aligned.shape[1:]
    return ModelInput(aligned, (width, height))
