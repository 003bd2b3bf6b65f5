"""Decode pictures in parallel: what each file is, and its pixels at the model's size.

Worker processes import this module alone, so it must stay light: numpy and Pillow.
"""

import hashlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from animals.errors import PictureError
from animals.preprocess import InputSpec, open_picture, to_pixels

CHUNK: Final = 64
"""Pictures that a worker takes at once: some tenths of a second."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What decoding told of one file."""

    sha256: str
    width: int
    """Of the upright picture, in pixels; 0 where there is a problem."""
    height: int
    problem: str
    """Why it cannot be used; empty where it can."""


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


def available_cpus() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    chunks = [(first, names[first : first + CHUNK]) for first in range(0, len(names), CHUNK)]
    results: dict[int, list[Inspection]] = {}
    with Progress(transient=True) as progress:
        task = progress.add_task("Decoding pictures", total=len(names))
        for first, result in _run(job, chunks, available_cpus() if workers < 0 else workers):
            results[first] = result
            progress.advance(task, len(result))
    return [inspection for first, _ in chunks for inspection in results[first]]


def _run(
    job: "partial[list[Inspection]]", chunks: list[tuple[int, Sequence[str]]], workers: int
) -> Iterator[tuple[int, list[Inspection]]]:
    if workers <= 1 or len(chunks) == 1:
        for first, names in chunks:
            yield first, job(first, names)
        return
    # spawn, not fork: the same on every system, and safe beside the threads of torch
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(chunks)), mp_context=context) as pool:
        futures = {pool.submit(job, first, names): first for first, names in chunks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _inspect_chunk(
    first: int, names: Sequence[str], *, root: Path, spec: InputSpec, out: PixelFile | None
) -> list[Inspection]:
    pixels = np.zeros((len(names), spec.side, spec.side, 3), np.uint8)
    inspections = [_inspect(root / name, spec, pixels[place]) for place, name in enumerate(names)]
    if out:
        out.write(first, pixels)
    return inspections


def _inspect(path: Path, spec: InputSpec, pixels: NDArray[np.uint8]) -> Inspection:
    """Decode one picture into `pixels` of shape (side, side, 3)."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Inspection("", 0, 0, f"cannot be read: {error.strerror}")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        image = open_picture(data)
    except PictureError as error:
        return Inspection(sha256, 0, 0, str(error))
    pixels[:] = to_pixels(image, spec)
    return Inspection(sha256, image.width, image.height, "")
