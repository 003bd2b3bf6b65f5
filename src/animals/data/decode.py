"""Decode pictures in parallel: properties of each file, and its pixels at the model's size.

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
"""Pictures that a worker decodes at once: some tenths of a second of work."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Properties of one file; if there is a problem, only that and the file's hash."""

    sha256: str
    """Hash of the file; empty if it cannot be read."""
    problem: str = ""
    """Why the file cannot be used; empty if it can."""
    width: int = 0
    """Width of the upright picture in pixels."""
    height: int = 0
    format: str = ""
    """Pillow's name of the format."""
    mode: str = ""
    """Pillow's name of the file's colour mode."""
    orientation: int = 1
    """EXIF orientation; 1 is upright."""
    perceptual_hash: str = ""
    """Empty for a plain picture."""


@dataclass(frozen=True, slots=True)
class PixelFile:
    """A file of pixels, one picture after the other, that several processes fill at once."""

    path: Path
    offset: int
    """Bytes before the first picture."""

    def write(self, first: int, pixels: NDArray[np.uint8]) -> None:
        """Write pictures of shape (pictures, side, side, 3), beginning with picture number `first`.

        A plain file instead of a memory map: a full disk is an OSError instead of a killed process.
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
        names: names of the files.
        spec: size and cut of the pixels.
        out: file for the pixels, in the order of the names; 0 for an unreadable picture.
        workers: number of processes; -1 for one on each CPU, 0 for this process only.

    Returns:
        One inspection for each name, in their order.
    """
    job = partial(_inspect_chunk, root=root, spec=spec, out=out)
    chunks = [(first, names[first : first + CHUNK]) for first in range(0, len(names), CHUNK)]
    results: dict[int, list[Inspection]] = {}
    with progress_bar() as progress:
        task = progress.add_task("Decoding pictures", total=len(names))
        for (first, _), inspections in in_processes(job, chunks, workers=available_cpus() if workers < 0 else workers):
            results[first] = inspections
            progress.advance(task, len(inspections))
    return [inspection for _, inspections in sorted(results.items()) for inspection in inspections]


def _inspect_chunk(
    chunk: tuple[int, Sequence[str]], *, root: Path, spec: InputSpec, out: PixelFile | None
) -> list[Inspection]:
    first, names = chunk
    pixels = np.zeros((len(names), spec.side, spec.side, 3), np.uint8)
    inspections = [_inspect(root / name, spec, pixels[index]) for index, name in enumerate(names)]
    if out:
        out.write(first, pixels)
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
        perceptual_hash=perceptual_hash(picture.image),
    )


def count_values_of_files(names: Sequence[str], *, root: Path, spec: InputSpec) -> NDArray[np.int64]:
    """Decode some readable pictures and return their `count_values`."""
    return count_values(np.stack([read_pixels(root / name, spec) for name in names]))


def count_values(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often each value occurs in each channel, shape (3, 256).

    Args:
        pixels: shape (pictures, side, side, 3).
    """
    rows = pixels.reshape(-1, *pixels.shape[2:])
    # Pillow counts five times as fast as numpy
    return np.array(Image.fromarray(rows).histogram(), np.int64).reshape(3, 256)
