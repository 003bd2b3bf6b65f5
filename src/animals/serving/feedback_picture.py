"""Pictures that people let us keep: checked against the answer, made smaller, and with nothing left but the pixels."""

import base64
import binascii
from io import BytesIO
from typing import Final

from PIL import Image

from animals.errors import WrongFeedback
from animals.preprocess import InputSpec, decode_picture
from animals.serving.tokens import Answer, digest

LONGEST: Final = 1024
"""Pixels of the longer side: more than any model here looks at, and a camera's picture becomes a tenth of its bytes."""

QUALITY: Final = 90
"""Of the JPEG."""

_SPEC: Final = InputSpec(side=LONGEST, mean=(0, 0, 0), std=(1, 1, 1), resize="squash")
"""Lets large JPEGs be decoded at reduced scale, with twice the pixels that are kept."""


def kept_picture(answer: Answer, encoded: str, *, max_pixels: int) -> bytes:
    """The picture that was classified, as it is stored; takes as long as classifying it.

    Args:
        answer: that was given on it.
        encoded: the same file in base64.
        max_pixels: width times height that is still decoded.

    Returns:
        A JPEG, upright and in RGB, at most `LONGEST` pixels a side. It is drawn anew from the pixels: where and when
        the picture was taken, by which camera, its comments and its thumbnail stay behind.

    Raises:
        WrongFeedback: it is no base64, or not the picture of that answer.
        NotAPicture: no decoder reads it, or it ends too early.
        PictureTooLarge: more pixels than allowed.
    """
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongFeedback(f'The field "picture" is no base64: {error}. Send the file of the picture so.') from error
    if answer.picture is None:
        raise WrongFeedback("That answer was not given on a picture's file, so there is none to keep. Leave it out.")
    if digest(data) != answer.picture:
        raise WrongFeedback("This is not the picture that was classified. Send the same file, or leave it out.")
    decoded = decode_picture(data, max_pixels=max_pixels, spec=_SPEC)
    clean = decoded.image.resize(_fitting(decoded.size), Image.Resampling.BICUBIC, decoded.box)
    clean.info = {}  # else a comment would go along
    file = BytesIO()
    clean.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def _fitting(size: tuple[int, int]) -> tuple[int, int]:
    """Width and height, scaled down until neither is over the limit."""
    scale = min(1.0, LONGEST / max(size))
    width, height = (max(1, round(side * scale)) for side in size)
    return width, height
