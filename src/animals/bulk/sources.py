"""Find pictures by folders, files, patterns and buckets."""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from animals.data.sources.label_folders import picture_suffixes
from animals.errors import DataError
from animals.storage import open_storage


def find_pictures(sources: Sequence[str]) -> list[str]:
    """Return the names of all pictures, sorted, each once; a source without any is a DataError.

    Folders and buckets are searched recursively for files with a picture's suffix. Of files and patterns the suffix
    does not matter.
    """
    pictures: set[str] = set()
    for source in sources:
        names = set(_pictures(source))
        if not names:
            endings = " ".join(sorted(picture_suffixes()))
            raise DataError(
                f"There are no pictures in {source}. Expected a folder or bucket of files that end in {endings}, "
                'a file, or a pattern in quotes such as "photos/**/*.jpg".'
            )
        pictures |= names
    return sorted(pictures)


def _pictures(source: str) -> Iterator[str]:
    path = Path(source)
    if "://" in source:
        storage = open_storage(source.rstrip("/"))
        yield from (f"{storage.url}/{name}" for name in storage.names() if _is_picture(PurePosixPath(name)))
    elif path.is_dir():
        for folder, _, files in os.walk(path):
            paths = [Path(folder, file) for file in files]
            yield from (file.as_posix() for file in paths if _is_picture(file.relative_to(path)) and file.is_file())
    else:
        matches = [path] if path.is_file() else map(Path, glob.glob(source, recursive=True))  # noqa: PTH207 - also absolute
        yield from (file.as_posix() for file in matches if file.is_file())


def _is_picture(path: Path | PurePosixPath) -> bool:
    return path.suffix.lower() in picture_suffixes() and not any(part.startswith(".") for part in path.parts)
