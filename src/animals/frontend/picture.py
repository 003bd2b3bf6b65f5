"""A picture that somebody wants to know about."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Final

from animals.errors import PictureError
from animals.preprocess import InputSpec, decode_picture

PREVIEW_SIDE: Final = 480

# `decode_picture` leaves at least twice the side, which is cheap for a camera's picture and enough to look at
_PREVIEW: Final = InputSpec(side=PREVIEW_SIDE // 2, mean=(0, 0, 0), std=(1, 1, 1), resize="squash")


@dataclass(frozen=True)
class Picture:
    """A file as it came."""

    name: str
    data: bytes

    @cached_property
    def digest(self) -> str:
        """The same for the same content."""
        return hashlib.sha256(self.data).hexdigest()


def preview(data: bytes) -> bytes | None:
    """A picture small enough to be shown, as a JPEG without anything else in it; None if it cannot be read."""
    try:
        image = decode_picture(data, spec=_PREVIEW).image
    except PictureError:
        return None  # the backend says what is wrong with it
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    image.info.clear()  # else Pillow writes the file's comment again
    file = BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()
