"""Pictures that come with feedback: checked against the prediction, made smaller, and reduced to their pixels."""

import base64
import binascii
from io import BytesIO
from typing import Final

from PIL import Image

from animals.errors import WrongFeedback
from animals.preprocess import InputSpec, decode_picture
from animals.serving.tokens import TokenPayload, digest

MAX_SIDE: Final = 1024
"""Pixels of the longer side: more than any model here uses; a camera's picture becomes a tenth of its bytes."""

QUALITY: Final = 90

_SPEC: Final = InputSpec(side=MAX_SIDE, mean=(0, 0, 0), std=(1, 1, 1), resize="squash")
"""Lets large JPEGs be decoded at a reduced scale, with twice the pixels that are kept."""


def make_feedback_picture(payload: TokenPayload, encoded: str, max_pixels: int) -> bytes:
    """Return the picture that was classified as it is stored; takes as long as classifying it.

    It is a JPEG, upright and in RGB, at most `MAX_SIDE` pixels a side. It is encoded anew from the pixels, so that
    place, time, camera, comments and thumbnail are lost. Errors as for `decode_picture`, and WrongFeedback for base64
    that is damaged or is not the picture of that prediction.
    """
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongFeedback(f'The field "picture" is not base64: {error}. Encode the picture\'s file so.') from error
    if payload.picture is None:
        raise WrongFeedback("The prediction was not made from a picture's file, so none can be kept. Leave it out.")
    if digest(data) != payload.picture:
        raise WrongFeedback("This is not the picture that was classified. Send the same file, or leave it out.")
    decoded = decode_picture(data, max_pixels=max_pixels, spec=_SPEC)
    small = decoded.image.resize(_fit(decoded.size), Image.Resampling.BICUBIC, decoded.box)
    small.info = {}  # a comment would be saved too
    file = BytesIO()
    small.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    """Return width and height, scaled down until neither is over the limit."""
    scale = min(1.0, MAX_SIDE / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height
