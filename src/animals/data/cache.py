"""Decoded pictures on disk, so that each is decoded once.

A cache is a folder named after a hash of everything that its content depends on. It is written under a temporary name
and renamed, so it is complete if it exists. Any cache may be deleted; it is then made again.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from animals.config.data import DataConfig
from animals.data.decode import Inspection, PixelFile, inspect_pictures
from animals.data.folders import Picture
from animals.errors import StorageUnavailable
from animals.preprocess import InputSpec

FORMAT: Final = 4
"""Part of the hash; increase it whenever decoding or `Inspection` changes."""


def load_pictures(
    root: Path, pictures: Sequence[Picture], spec: InputSpec, config: DataConfig
) -> tuple[NDArray[np.uint8] | None, list[Inspection]]:
    """Return pixels and inspections as `load_cached`; with `data.cache=false` decode now and return no pixels."""
    if config.cache:
        return load_cached(root, pictures, spec, cache_dir=Path(config.cache_dir), workers=config.workers)
    names = [picture.name for picture in pictures]
    return None, inspect_pictures(root, names, spec, out=None, workers=config.workers)


def load_cached(
    root: Path, pictures: Sequence[Picture], spec: InputSpec, *, cache_dir: Path, workers: int
) -> tuple[NDArray[np.uint8], list[Inspection]]:
    """Return the pixels of all pictures from the cache, after making the cache if it does not exist.

    If two processes need the same cache at once, one makes it and the other waits.

    Args:
        root: folder that the names of the pictures are relative to.
        pictures: the files to decode.
        spec: size and cut of the pixels.
        cache_dir: folder of all caches.
        workers: number of processes that decode; -1 for one on each CPU.

    Returns:
        A read-only memory map of shape (pictures, side, side, 3), where unreadable pictures are 0, and an inspection
        for each picture.

    Raises:
        StorageUnavailable: the disk is full or not writable.
    """
    folder = cache_dir / _key(root, pictures, spec)
    try:
        make_once(folder, lambda temporary: _decode(temporary, root, pictures, spec, workers))
    except OSError as error:
        needed = len(pictures) * spec.side**2 * 3 / 1e6
        raise StorageUnavailable(
            f"The decoded pictures ({needed:.0f} MB) could not be stored in {cache_dir}: {error.strerror or error}. "
            "Free some space, set another data.cache_dir, or train with data.cache=false."
        ) from error
    rows = json.loads((folder / "inspections.json").read_text(encoding="utf-8"))
    return np.load(folder / "pixels.npy", mmap_mode="r"), [Inspection(**row) for row in rows]


def _key(root: Path, pictures: Sequence[Picture], spec: InputSpec) -> str:
    files = [(picture.name, picture.size, picture.modified) for picture in pictures]
    # without mean and std: they are applied later, so a change of them needs no decoding
    geometry = (spec.side, spec.resize, spec.crop_pct, spec.interpolation)
    content = json.dumps([FORMAT, str(root.resolve()), geometry, files])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def make_once(folder: Path, fill: Callable[[Path], None]) -> None:
    """Make a folder if it does not exist: `fill` a temporary one and rename it, while other processes wait."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if folder.is_dir():
            return
        temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        try:
            temporary.mkdir()
            fill(temporary)
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _decode(folder: Path, root: Path, pictures: Sequence[Picture], spec: InputSpec, workers: int) -> None:
    out = _allocate(folder / "pixels.npy", (len(pictures), spec.side, spec.side, 3))
    inspections = inspect_pictures(root, [picture.name for picture in pictures], spec, out=out, workers=workers)
    rows = json.dumps([asdict(inspection) for inspection in inspections])
    (folder / "inspections.json").write_text(rows, encoding="utf-8")


def _allocate(path: Path, shape: tuple[int, ...]) -> PixelFile:
    """Create an .npy file of its final length."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return PixelFile(path, int(array.offset))
