"""Copy pictures from a source into a folder of label folders.

    copy_pictures(BucketSource("gs://name/raw/raw-img"), Path("data/raw/raw-img"))

Each picture is written under a hidden name and renamed, so a file under its own name is complete. Repeat the call after
an interruption, even a kill: it skips pictures that exist with the right size.
"""

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from rich.markup import escape

from animals.concurrency import progress_bar
from animals.data.sources.label_folders import target_paths
from animals.errors import AnimalsError, StorageUnavailable
from animals.files import atomic_write


class Source(Protocol):
    """A place that pictures come from."""

    url: str
    """Name of the source in messages, as a user would type it."""

    def sizes(self) -> Mapping[str, int]:
        """Return the size in bytes of each file, by its name with forward slashes."""

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield these files in any order, each with its content in pieces, to be used before the next file."""


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What an import did."""

    new: int
    """Pictures that it copied."""
    existing: int
    """Pictures that existed already."""
    left_out: tuple[str, ...] = ()
    """Files of the source that it did not copy."""
    reason: str = "no picture in a label folder"
    """Why it did not copy these."""
    removed: int = 0
    """Pictures of an earlier import that it removed since the source no longer has them."""


def copy_pictures(
    source: Source,
    root: Path,
    *,
    find_targets: Callable[[Collection[str], str], Mapping[str, PurePosixPath]] = target_paths,
) -> ImportResult:
    """Copy all pictures of a source that do not exist yet. Only one call at a time may fill a folder.

    Args:
        source: has one folder for each label, at its top or in other folders.
        root: folder for the label folders; it is created, and other files in it stay.
        find_targets: returns the path below the root of each picture, as `target_paths` does.

    Raises:
        DataError: the source cannot be used. Nothing was written or, from a damaged archive, complete pictures.
        StorageUnavailable: the source cannot be reached, or the disk is full or not writable.
    """
    with progress_bar() as progress:
        listing = progress.add_task(f"Listing {escape(source.url)}", total=None)
        sizes = source.sizes()
        targets = find_targets(sizes, source.url)
        progress.remove_task(listing)
        missing = {name: path for name, path in targets.items() if not _exists(root / path, sizes[name])}
        _check_free_space(root, sum(sizes[name] for name in missing))
        task = progress.add_task("Copying pictures", total=len(targets), completed=len(targets) - len(missing))
        for name, pieces in source.read(missing):
            _write(root / missing[name], pieces)
            progress.advance(task)
    left_out = tuple(sorted(sizes.keys() - targets.keys()))
    return ImportResult(new=len(missing), existing=len(targets) - len(missing), left_out=left_out)


def count_pictures(root: Path) -> Counter[str]:
    """Return the number of files in each label folder and the folders in it, without hidden ones."""
    files = (path.relative_to(root) for path in root.glob("*/**/*") if path.is_file())
    return Counter(file.parts[0] for file in files if not any(part.startswith(".") for part in file.parts))


def _exists(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:  # the file is missing, or part of the path is no folder: writing raises the error
        return False


def _check_free_space(root: Path, needed: int) -> None:
    existing = next(folder for folder in (root, *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise StorageUnavailable(
            f"The pictures need {needed / 1e6:,.0f} MB and the disk of {root} has {free / 1e6:,.0f} MB free. "
            "Free some space, or choose another folder with --root."
        )


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    try:
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            file.writelines(pieces)
    except AnimalsError:  # an error of the source, which may be an OSError too
        raise
    except OSError as error:
        raise StorageUnavailable(
            f"Could not write {path}: {error.strerror or error}. Free some space, or choose another folder with "
            "--root; then repeat the command, which skips what exists."
        ) from error
