"""Decode pictures in parallel: what each file is, and its pixels at the model's size.

Worker processes import this module, so it must stay quick to import.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animals.concurrency import in_processes, progress_bar
from animals.cpus import available_cpus
from animals.data.duplicates import perceptual_hash
from animals.errors import PictureError
from animals.preprocess import InputSpec, decode_picture, read_pixels, to_pixels

CHUNK: Final = 64
"""Pictures that a worker takes at once: some tenths of a second's work."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What decoding told of one file; where there is a problem, no more than that and the hash of the file."""

    sha256: str
    """Of the file; empty where it cannot be read."""
    problem: str = ""
    """Why it cannot be used; empty where it can."""
    width: int = 0
    """Of the upright picture, in pixels."""
    height: int = 0
    format: str = ""
    """As Pillow names it."""
    mode: str = ""
    """As Pillow names it: how the file keeps its colours."""
    orientation: int = 1
    """As in EXIF: 1 for upright."""
    look: str = ""
    """The perceptual hash; empty for a plain picture."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pictures that a worker takes at once."""

    first: int
    """Place of the first of them among all."""
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PixelFile:
    """A file of pixels, one picture after the other, that several processes fill at once."""

    path: Path
    offset: int
    """Bytes before the first picture."""

    def write(self, first: int, pixels: NDArray[np.uint8]) -> None:
        """Store pictures of shape (pictures, side, side, 3) from place `first` on.

        Written as a file, not through a memory map: a full disk is then an OSError instead of a killed process.
        """
        with self.path.open("r+b") as file:
            file.seek(self.offset + first * pixels[0].nbytes)
            file.write(pixels.tobytes())


def inspect_pictures(
    root: Path, names: Sequence[str], spec: InputSpec, *, out: PixelFile | None, workers: int
) -> list[Inspection]:
    """Decode every picture once, with a progress bar.

    Args:
        root: folder that the names are relative to.
        names: of the picture files.
        spec: the size that they are brought to.
        out: where their pixels go, in the order of the names; an unreadable one leaves its place as it is.
        workers: processes; -1 for one a CPU, 0 for none but this one.

    Returns:
        One inspection a name, in their order.
    """
    job = partial(_inspect_chunk, root=root, spec=spec, out=out)
    chunks = [Chunk(first, tuple(names[first : first + CHUNK])) for first in range(0, len(names), CHUNK)]
    results: dict[Chunk, list[Inspection]] = {}
    with progress_bar() as progress:
        task = progress.add_task("Decoding pictures", total=len(names))
        for chunk, result in in_processes(job, chunks, workers=available_cpus() if workers < 0 else workers):
            results[chunk] = result
            progress.advance(task, len(result))
    return [inspection for chunk in chunks for inspection in results[chunk]]


def _inspect_chunk(chunk: Chunk, *, root: Path, spec: InputSpec, out: PixelFile | None) -> list[Inspection]:
    pixels = np.zeros((len(chunk.names), spec.side, spec.side, 3), np.uint8)
    inspections = [_inspect(root / name, spec, pixels[place]) for place, name in enumerate(chunk.names)]
    if out:
        out.write(chunk.first, pixels)
    return inspections


def _inspect(path: Path, spec: InputSpec, pixels: NDArray[np.uint8]) -> Inspection:
    """Decode one picture into `pixels` of shape (side, side, 3)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Inspection("", f"cannot be read: {error.strerror}")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        picture = decode_picture(data, spec=spec)
    except PictureError as error:
        return Inspection(sha256, str(error))
    pixels[:] = to_pixels(picture.image, spec, picture.box)
    width, height = picture.size
    return Inspection(
        sha256,
        width=width,
        height=height,
        format=picture.format,
        mode=picture.mode,
        orientation=picture.orientation,
        look=perceptual_hash(picture.image),
    )


def count_values_of_files(names: Sequence[str], *, root: Path, spec: InputSpec) -> NDArray[np.int64]:
    """How often each value is there in each channel of some readable pictures, decoded now; as `count_values`."""
    return count_values(np.stack([read_pixels(root / name, spec) for name in names]))


def count_values(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value is there in each channel.

    Args:
        pixels: shape (pictures, side, side, 3).

    Returns:
        Shape (3, 256).
    """
    below_each_other = pixels.reshape(-1, *pixels.shape[2:])
    # Pillow counts five times as fast as numpy
    return np.array(Image.fromarray(below_each_other).histogram(), np.int64).reshape(3, 256)
