"""One picture -> one array: the only place that does it, for training, evaluation and serving alike."""

import math
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from animals.errors import ConfigError, NotAPicture, PictureTooLarge

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are decoded; each further one would be attack surface that nobody asked for."""

MAX_PIXELS: Final = 50_000_000
"""A 48-megapixel camera's picture passes; decoded it takes 150 MB."""

LARGE: Final = 1024
"""Pixels on the longer side over which a JPEG is decoded at reduced scale where a model's input is made of it."""

Channels = tuple[float, float, float]
"""One number for red, for green and for blue."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels from the upper left corner."""
Resize = Literal["squash", "center"]
Interpolation = Literal["bilinear", "bicubic"]

_RESAMPLING: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}

# EXIF orientation -> the turn that sets the picture upright
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_LYING: Final = (5, 6, 7, 8)
"""Orientations whose turn exchanges width and height."""

# EXIF orientation -> what that turn makes of the margins left, top, right and bottom: places among those before it
_MARGINS: Final = {
    1: (0, 1, 2, 3),
    2: (2, 1, 0, 3),
    3: (2, 3, 0, 1),
    4: (0, 3, 2, 1),
    5: (1, 0, 3, 2),
    6: (3, 0, 1, 2),
    7: (3, 2, 1, 0),
    8: (1, 2, 3, 0),
}

# Pillow's decoders let all of these through on damaged files, each seen from one format or another.
_DECODER_ERRORS: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class InputSpec:
    """What a model wants to see."""

    side: int
    """Width and height in pixels."""
    mean: Channels
    """Mean of red, green and blue in [0, 1], subtracted."""
    std: Channels
    """Standard deviation of red, green and blue in [0, 1], divided by."""
    resize: Resize = "center"
    """`center`: scale the short side, cut the middle square. `squash`: scale both sides, keep everything."""
    crop_pct: float = 1.0
    """Part of the short side that `center` keeps."""
    interpolation: Interpolation = "bicubic"

    def __post_init__(self) -> None:
        if self.side < 1 or not 0 < self.crop_pct <= 1 or not min(self.std) > 0:
            raise ConfigError(f"No picture can be made to fit {self}; expected side >= 1, 0 < crop_pct <= 1, std > 0.")


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """A picture, and what its file was before it became upright and RGB."""

    image: Image.Image
    box: Box
    """Where the picture lies in `image`: all of it, except that at reduced scale it may end within the last pixels."""
    size: tuple[int, int]
    """Width and height that the upright picture has at full scale."""
    format: str
    """As Pillow names it: one of `FORMATS`, or MPO for a JPEG that carries further pictures."""
    mode: str
    """As Pillow names it, such as L for greys."""
    orientation: int
    """As in EXIF: 1 for upright, also where there is none."""


def open_picture(source: bytes | Path, *, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """Decode a picture at full scale, upright and in RGB: the picture of `decode_picture` alone."""
    return decode_picture(source, max_pixels=max_pixels).image


def decode_picture(
    source: bytes | Path, *, max_pixels: int = MAX_PIXELS, spec: InputSpec | None = None
) -> DecodedPicture:
    """Decode a picture, upright and in RGB.

    Args:
        source: the file's bytes or its path.
        max_pixels: width times height that is still decoded.
        spec: what the picture is decoded for. A JPEG over `LARGE` is then decoded at a half, a quarter or an eighth of
            its scale, in a sixth of the time for a camera's picture, where that leaves `to_pixels` at least twice the
            pixels of each side that it gives.

    Returns:
        With a loaded picture of mode RGB: rotated as its EXIF orientation says, transparent parts on white, the first
        frame of an animation, 16-bit greys scaled to 8 bits.

    Raises:
        NotAPicture: no decoder reads it, or it ends too early.
        PictureTooLarge: over `max_pixels`, before any pixel is decoded.
        OSError: the path cannot be read.
    """
    data = source if isinstance(source, bytes) else source.read_bytes()
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge(f"The picture has too many pixels ({error}); up to {max_pixels:,} are read.") from error
    except _DECODER_ERRORS as error:
        raise NotAPicture(f"This is no picture; expected one of {', '.join(FORMATS)}.") from error
    with image:
        if image.width * image.height > max_pixels:
            raise PictureTooLarge(
                f"The picture has {image.width}x{image.height} pixels; up to {max_pixels:,} in all are read. "
                "Send a smaller one."
            )
        mode, size = image.mode, image.size
        try:
            box = _reduce(image, spec) if spec and max(size) > LARGE else (0, 0, *size)
            image.load()
            orientation = _orientation(image)
            upright = _to_rgb(_upright(image, orientation))
        except _DECODER_ERRORS as error:
            raise NotAPicture(f"The {image.format} picture is damaged or ends too early: {error}.") from error
        if orientation in _LYING:
            size = size[1], size[0]
        return DecodedPicture(
            upright, _upright_box(box, image, orientation), size, image.format or "", mode, orientation
        )


def _reduce(image: Image.Image, spec: InputSpec) -> Box:
    """Have a JPEG decoded at the smallest scale that `to_pixels` still scales down by two or more.

    Returns:
        Where the picture lies in what will be decoded.
    """
    kept = spec.crop_pct if spec.resize == "center" else 1.0
    least = math.ceil(2 * spec.side / kept)
    drafted = image.draft(None, (least, least))
    return drafted[1] if drafted else (0, 0, *image.size)


def _upright_box(box: Box, image: Image.Image, orientation: int) -> Box:
    """Where that part of a picture is when the picture has been turned upright."""
    margins = (box[0], box[1], image.width - box[2], image.height - box[3])
    left, top, right, bottom = (margins[place] for place in _MARGINS[orientation])
    width, height = image.size[::-1] if orientation in _LYING else image.size
    return left, top, width - right, height - bottom


def read_pixels(source: bytes | Path, spec: InputSpec, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Decode a picture for a model and bring it to its side, shape (side, side, 3); errors as for `decode_picture`."""
    picture = decode_picture(source, max_pixels=max_pixels, spec=spec)
    return to_pixels(picture.image, spec, picture.box)


def _orientation(image: Image.Image) -> int:
    """What EXIF says; 1, upright, where it is broken or says nothing that is known."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        return int(orientation) if orientation in _TURNS else 1
    except _DECODER_ERRORS:
        return 1


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    """The picture turned as its EXIF orientation says.

    `ImageOps.exif_transpose` also writes the EXIF anew, and fails where any tag has an odd value.
    """
    return image if orientation == 1 else image.transpose(_TURNS[orientation])


def _to_rgb(image: Image.Image) -> Image.Image:
    """Any mode to RGB, without the surprises of a plain `convert`."""
    if image.mode.startswith("I"):  # 16-bit greys: convert() would clip at 255 instead of scaling
        grey = np.asarray(image, dtype=np.float64) / 257.0
        image = Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8))
    if image.has_transparency_data:  # convert() would show whatever colour hides under the transparent part
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")


def to_pixels(image: Image.Image, spec: InputSpec, box: Box | None = None) -> NDArray[np.uint8]:
    """Scale and cut a picture of mode RGB to the model's side.

    Args:
        image: the picture.
        spec: the side, and how to cut.
        box: the part of `image` that is the picture; None: all of it.

    Returns:
        Height, width, colour: shape (side, side, 3).
    """
    box = box or (0, 0, *image.size)
    kept = box if spec.resize == "squash" else _center(box, spec.crop_pct)
    scaled = image.resize((spec.side, spec.side), _RESAMPLING[spec.interpolation], kept)
    return np.array(scaled)  # a copy, since what Pillow hands out cannot be written to


def _center(box: Box, crop_pct: float) -> Box:
    """The middle square of `crop_pct` of the short side."""
    left, top, right, bottom = box
    kept = min(right - left, bottom - top) * crop_pct
    left, top = (left + right - kept) / 2, (top + bottom - kept) / 2
    return left, top, left + kept, top + kept


def normalize(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """Pixels to the numbers that the model was trained on.

    Args:
        pixels: shape (..., side, side, 3), values 0 to 255.
        spec: mean and standard deviation of each colour.

    Returns:
        Channels first: shape (..., 3, side, side).
    """
    mean, std = np.asarray(spec.mean, np.float32), np.asarray(spec.std, np.float32)
    # channels first, then the arithmetic in place: a tenth of the time of the other order
    numbers = np.ascontiguousarray(np.moveaxis(pixels, -1, -3), dtype=np.float32)
    numbers *= (1 / (255 * std))[:, None, None]
    numbers -= (mean / std)[:, None, None]
    return numbers


def preprocess(image: Image.Image, spec: InputSpec, box: Box | None = None) -> NDArray[np.float32]:
    """Turn one picture of mode RGB, or a part of it, into the model's input of shape (3, side, side)."""
    return normalize(to_pixels(image, spec, box), spec)
