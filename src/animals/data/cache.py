"""Decoded pictures on disk, so that each is decoded once.

A cache is a folder named after a hash of everything that its content depends on. It is written under a temporary name
and renamed, so it is complete if it exists. Any cache may be deleted; it is then made again. A cache for a folder to
which pictures were added takes the others from the cache that was made for the folder before.
"""

import hashlib
import json
import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from animals.config.data import DataConfig
from animals.data.decode import Inspection, PixelFile, inspect_pictures
from animals.data.folders import Picture
from animals.errors import StorageUnavailable
from animals.files import atomic_write
from animals.preprocess import InputSpec

File = tuple[str, int, int]
"""Name, size in bytes and time of the last change of a picture."""

FORMAT: Final = 5
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
    files = [(picture.name, picture.size, picture.modified) for picture in pictures]
    # without mean and std: they are applied later, so a change of them needs no decoding
    source = _hash([FORMAT, str(root.resolve()), (spec.side, spec.resize, spec.crop_pct, spec.interpolation)])
    folder = cache_dir / _hash([source, files])
    newest = cache_dir / f"newest-{source}.txt"
    try:
        make_once(folder, lambda temporary: _fill(temporary, root, files, spec, workers, _earlier(newest)))
        with FileLock(newest.with_suffix(".lock")), atomic_write(newest) as path:
            path.write_text(folder.name, encoding="utf-8")
    except OSError as error:
        needed = len(pictures) * spec.side**2 * 3 / 1e6
        raise StorageUnavailable(
            f"The decoded pictures ({needed:.0f} MB) could not be stored in {cache_dir}: {error.strerror or error}. "
            "Free some space, set another data.cache_dir, or train with data.cache=false."
        ) from error
    cached = _read(folder)
    return cached.pixels, cached.inspections


@dataclass(frozen=True, slots=True)
class _Cached:
    """The content of a cache."""

    files: list[File]
    inspections: list[Inspection]
    pixels: NDArray[np.uint8]
    """A read-only memory map of shape (files, side, side, 3)."""


def _read(folder: Path) -> _Cached:
    rows = json.loads((folder / "inspections.json").read_text(encoding="utf-8"))
    return _Cached(
        [(name, size, modified) for name, size, modified in rows["files"]],
        [Inspection(**row) for row in rows["inspections"]],
        np.load(folder / "pixels.npy", mmap_mode="r"),
    )


def _earlier(newest: Path) -> _Cached | None:
    """Return the newest cache of the same folder and geometry; None if there is none any more."""
    try:
        return _read(newest.with_name(newest.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def _hash(content: object) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


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


def _fill(
    folder: Path, root: Path, files: Sequence[File], spec: InputSpec, workers: int, earlier: _Cached | None
) -> None:
    """Decode the files that the earlier cache lacks, and copy the others from it."""
    rows = {file: row for row, file in enumerate(earlier.files)} if earlier else {}
    new = [index for index, file in enumerate(files) if file not in rows]
    decoded = folder / "decoded.npy"
    out = _allocate(decoded, (len(new), spec.side, spec.side, 3))
    inspections = dict(
        zip(
            new, inspect_pictures(root, [files[index][0] for index in new], spec, out=out, workers=workers), strict=True
        )
    )
    pixels = folder / "pixels.npy"
    if earlier is None or len(new) == len(files):
        decoded.replace(pixels)
    else:
        out = _allocate(pixels, (len(files), spec.side, spec.side, 3))
        fresh = np.load(decoded, mmap_mode="r")
        for number, index in enumerate(new):
            out.write(index, fresh[number : number + 1])
        for index, file in enumerate(files):
            if file in rows:
                out.write(index, earlier.pixels[rows[file]][None])
                inspections[index] = earlier.inspections[rows[file]]
        decoded.unlink()
    content = {"files": files, "inspections": [asdict(inspections[index]) for index in range(len(files))]}
    (folder / "inspections.json").write_text(json.dumps(content), encoding="utf-8")


def _allocate(path: Path, shape: tuple[int, ...]) -> PixelFile:
    """Create an .npy file of its final length."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return PixelFile(path, int(array.offset))
