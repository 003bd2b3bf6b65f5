"""Bring pictures from a source into a folder of label folders.

    fetch(open_source("gs://name/raw/raw-img"), Path("data/raw/raw-img"))

Each picture is written under a hidden name and renamed, so a file that has its own name is whole. A call that was cut
off, even by a kill, is repeated: what is there in the size that it should have is not brought again.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from rich.markup import escape

from animals.concurrency import progress_bar
from animals.data.sources.label_folders import find_places
from animals.errors import AnimalsError, StorageUnavailable
from animals.files import atomic_write


class Source(Protocol):
    """Where pictures come from."""

    url: str
    """Where that is, as a person would type it."""

    def sizes(self) -> Mapping[str, int]:
        """All files by name, with forward slashes, and their sizes in bytes."""

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """These files in any order, each with its content in pieces, to be used before the next file."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a call did."""

    new: int
    """Pictures that it brought."""
    kept: int
    """Pictures of the source that were there already."""
    left_out: tuple[str, ...]
    """Files of the source that are not wanted."""
    because: str = "no picture in a label folder"
    """Why not."""
    removed: int = 0
    """Pictures of an earlier call that the source does not have any more."""


Finder = Callable[[Collection[str], str], Mapping[str, PurePosixPath]]
"""As `find_places`: which files of a source are pictures, and where each of them goes."""


def fetch(source: Source, root: Path, *, find: Finder = find_places) -> Fetched:
    """Bring all pictures of a source that are not there yet. Only one call at a time may fill a folder.

    Args:
        source: has a folder of pictures a label, at its top or wrapped in further folders.
        root: gets the label folders; it need not exist. What else lies there stays.
        find: for a source that has its own order.

    Raises:
        DataError: the source cannot be used as it is; nothing was written, or from a damaged archive whole pictures.
        StorageUnavailable: the source cannot be reached, or the disk is full or may not be written to.
    """
    with progress_bar() as progress:
        looking = progress.add_task(f"Looking through {escape(source.url)}", total=None)
        sizes = source.sizes()
        places = find(sizes, source.url)
        progress.remove_task(looking)
        missing = {name: place for name, place in places.items() if not _is_there(root / place, sizes[name])}
        _check_room(root, sum(sizes[name] for name in missing))
        task = progress.add_task("Fetching pictures", total=len(places), completed=len(places) - len(missing))
        for name, pieces in source.read(missing):
            _write(root / missing[name], pieces)
            progress.advance(task)
    left_out = tuple(sorted(sizes.keys() - places.keys()))
    return Fetched(new=len(missing), kept=len(places) - len(missing), left_out=left_out)


def count_pictures(root: Path) -> Counter[str]:
    """Files in each label folder, which may have folders of their own; hidden ones do not count."""
    files = (path.relative_to(root) for path in root.glob("*/**/*") if path.is_file())
    return Counter(file.parts[0] for file in files if not any(part.startswith(".") for part in file.parts))


def _is_there(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:  # missing, or in the way of something: writing will say so
        return False


def _check_room(root: Path, needed: int) -> None:
    there = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise StorageUnavailable(
            f"The pictures need {needed / 1e6:,.0f} MB and the disk of {root} has {free / 1e6:,.0f} MB. "
            "Make room, or name another folder with --root."
        )


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file: all of it or nothing.

    The hidden name is the same each time, so what a killed process left is overwritten by the one that goes on. It is
    not flushed to the disk: that takes minutes for all, and a picture that a power cut left short is brought again.
    """
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            file.writelines(pieces)
    except AnimalsError:  # the source's own, some of which are OSErrors too
        raise
    except OSError as error:
        raise StorageUnavailable(
            f"Could not write {path}: {error.strerror or error}. Make room or name another folder with --root; "
            "the same command goes on where it was."
        ) from error
