"""Decoded pictures on disk, so that no run decodes them twice.

A cache is a folder named after the hash of all that its content depends on; it is made beside its place and renamed,
so a folder of that name is always whole. Deleting any of them costs time only.
"""

import csv
import hashlib
import json
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from animals.data.decode import Inspection, PixelFile, inspect_pictures
from animals.data.folders import Picture
from animals.errors import StorageUnavailable
from animals.preprocess import InputSpec

FORMAT: Final = 3
"""Raised when pictures are decoded otherwise than before, or more is told of them; older caches are not taken then."""


def cached_pictures(
    root: Path, pictures: Sequence[Picture], spec: InputSpec, *, cache_dir: Path, workers: int
) -> tuple[NDArray[np.uint8], list[Inspection]]:
    """The pixels of all pictures from the cache, which is made first if it is not there.

    Two processes may ask for the same cache at once: one makes it, the other waits.

    Args:
        root: folder that the pictures' names are relative to.
        pictures: which.
        spec: the size that they are brought to.
        cache_dir: folder of all caches.
        workers: processes that decode; -1 for one a CPU.

    Returns:
        A read-only memory map of shape (pictures, side, side, 3), and an inspection a picture. The pixels of an
        unreadable picture are 0.

    Raises:
        StorageUnavailable: the disk is full or may not be written to.
    """
    folder = cache_dir / _key(root, pictures, spec)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _make(folder, root, [picture.name for picture in pictures], spec, workers)
    except OSError as error:
        needed = len(pictures) * spec.side**2 * 3 / 1e6
        raise StorageUnavailable(
            f"The decoded pictures ({needed:.0f} MB) could not be kept in {cache_dir}: {error.strerror or error}. "
            "Make room, choose another data.cache_dir, or train with data.cache=false."
        ) from error
    return np.load(folder / "pixels.npy", mmap_mode="r"), _read(folder / "pictures.csv")


def _key(root: Path, pictures: Sequence[Picture], spec: InputSpec) -> str:
    listing = [(picture.name, picture.size, picture.modified) for picture in pictures]
    # mean and std are applied later, so that they may change without decoding anew
    geometry = (spec.side, spec.resize, spec.crop_pct, spec.interpolation)
    content = json.dumps([FORMAT, str(root.resolve()), geometry, listing])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _make(folder: Path, root: Path, names: list[str], spec: InputSpec, workers: int) -> None:
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    temporary.mkdir()
    try:
        out = _allocate(temporary / "pixels.npy", (len(names), spec.side, spec.side, 3))
        inspections = inspect_pictures(root, names, spec, out=out, workers=workers)
        _write(temporary / "pictures.csv", inspections)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _allocate(path: Path, shape: tuple[int, ...]) -> PixelFile:
    """An .npy file of its final length, to be filled."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return PixelFile(path, int(array.offset))


def _write(path: Path, inspections: Sequence[Inspection]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Inspection)])
        writer.writeheader()
        writer.writerows(asdict(inspection) for inspection in inspections)


def _read(path: Path) -> list[Inspection]:
    with path.open(newline="", encoding="utf-8") as file:
        return [_inspection(row) for row in csv.DictReader(file)]


def _inspection(row: dict[str, Any]) -> Inspection:
    numbers = {name: int(row[name]) for name in ("width", "height", "orientation")}
    return Inspection(**{**row, **numbers})
