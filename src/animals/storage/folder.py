"""A bucket in a local folder."""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from filelock import FileLock

from animals.errors import NoSuchObject, StorageError, StorageUnavailable
from animals.storage.protocol import ABSENT, StoredObject, changed, checked, checked_prefix, is_name

LOCK_TIMEOUT: Final = 20.0
"""Seconds that a writer waits for the lock."""

LOCK_POLL: Final = 0.002
"""Seconds between two attempts to get the lock, about the duration of a write."""

_MISSING: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FolderStorage:
    """A bucket in a local folder; several processes on one machine may use it at once."""

    def __init__(self, root: Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.root = root
        self.url = str(root)
        self._lock_timeout = lock_timeout

    def _path(self, name: str) -> Path:
        return self.root / checked(name)

    def read(self, name: str) -> StoredObject:  # noqa: D102 - see the protocol
        path = self._path(name)
        try:
            data = path.read_bytes()
        except _MISSING as error:
            raise self._missing(name) from error
        except OSError as error:
            raise StorageUnavailable(f"Could not read {path}: {error.strerror}.") from error
        return StoredObject(data, _digest(data))

    def read_if_changed(self, name: str, generation: str | None) -> StoredObject | None:  # noqa: D102
        stored = self.read(name)  # the generation is a checksum of the content
        return None if stored.generation == generation else stored

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:  # noqa: D102
        path, generation = self._path(name), _digest(data)
        try:
            _make_folder(path.parent)
            with _temporary_file(path, data) as temporary, self._lock():
                if if_generation is not None and self._generation(name) not in (if_generation, generation):
                    raise changed(name, self.url)
                temporary.replace(path)
            _flush_folder(path.parent)
        except OSError as error:
            raise StorageUnavailable(f"Could not write {path}: {error.strerror or error}.") from error
        return generation

    def _lock(self) -> FileLock:
        return FileLock(self.root / ".lock", timeout=self._lock_timeout, poll_interval=LOCK_POLL)

    def _missing(self, name: str) -> StorageError:
        if self.root.is_file():
            return StorageUnavailable(f"The bucket {self.url} is a file; expected a folder.")
        return NoSuchObject(f"{self.url} has no object {name}.")

    def _generation(self, name: str) -> str:
        try:
            return self.read(name).generation
        except NoSuchObject:
            return ABSENT

    def names(self, prefix: str = "") -> Iterator[str]:  # noqa: D102
        # walk only the folder that the prefix names, not the whole bucket
        start = self.root / checked_prefix(prefix).rpartition("/")[0]
        yield from sorted(name for name in self._walk(start) if name.startswith(prefix) and is_name(name))

    def _walk(self, start: Path) -> Iterator[str]:
        def only_missing(error: OSError) -> None:
            if self.root.is_file() or not isinstance(error, _MISSING):
                raise error

        try:
            for folder, _, files in os.walk(start, onerror=only_missing):
                below = Path(folder).relative_to(self.root)
                yield from ((below / file).as_posix() for file in files)
        except OSError as error:
            raise StorageUnavailable(f"Could not list {start}: {error.strerror}.") from error

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:  # noqa: D102
        for name in self.names(prefix):
            path = self.root / name
            try:
                size = path.stat().st_size
            except _MISSING:  # deleted since it was listed
                continue
            except OSError as error:
                raise StorageUnavailable(f"Could not read the size of {path}: {error.strerror}.") from error
            yield name, size

    def delete(self, name: str, *, if_generation: str | None = None) -> None:  # noqa: D102
        path = self._path(name)
        try:
            with self._lock():
                if if_generation is not None and self.read(name).generation != if_generation:
                    raise changed(name, self.url)
                path.unlink()
        except _MISSING as error:
            raise self._missing(name) from error
        except OSError as error:
            raise StorageUnavailable(f"Could not delete {path}: {error.strerror or error}.") from error


def _digest(data: bytes) -> str:
    # a folder has no generation numbers; objects with the same content need not be distinguished
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _temporary_file(path: Path, data: bytes) -> Iterator[Path]:
    """Write a hidden file next to `path`, flushed to the disk, that can replace it."""
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    """Create a folder durably, with its parents."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """Make created and renamed files durable."""
    if os.name == "posix":  # pragma: no branch - Windows cannot open folders, and its renames are durable
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
