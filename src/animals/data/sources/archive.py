"""Pictures from a zip or tar file, which need not be trusted.

Members are read as streams and never extracted under the names in the archive: `copy_pictures` decides where they are
written. An archive with anything but plain files and folders, or more than `MAX_BYTES`, is refused before a file is
written.
"""

import bz2
import contextlib
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Final

from animals.data.sources.label_folders import is_safe
from animals.errors import AnimalsError, DataError

MAX_BYTES: Final = 50_000_000_000
"""Largest unpacked size of an archive: 80 times that of Animals-10."""

MAX_MEMBERS: Final = 1_000_000
"""Largest number of files and folders in an archive; each takes memory."""

PIECE: Final = 1 << 20
"""Bytes that are read at a time."""

_COMPRESSED: Final[dict[bytes, Callable[[Path], io.BufferedIOBase]]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""First bytes of a compressed file -> class to read it."""

_DAMAGE: Final = (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file or folder in an archive; anything else is special."""

    name: str
    size: int
    special: bool
    folder: bool
    open: Callable[[], IO[bytes] | None]


class ArchiveSource:
    """The files in a zip or tar file, which is read twice: for the sizes and for the contents."""

    def __init__(self, path: Path, members: Callable[[], Iterator[_Member]], max_bytes: int) -> None:
        self.url = str(path)
        self._members = members
        self._max_bytes = max_bytes

    def sizes(self) -> dict[str, int]:  # noqa: D102 - see Source
        sizes: dict[str, int] = {}
        total = 0
        with _readable(self.url):
            for count, member in enumerate(self._members(), start=1):
                if member.special or not is_safe(member.name):
                    raise DataError(
                        f"{self.url} contains {member.name!r}, which is no plain file below the archive's own folder. "
                        "Nothing was written. If you trust the archive, unpack it yourself and name the folder."
                    )
                total += member.size
                if total > self._max_bytes or count > MAX_MEMBERS:
                    raise _too_large(self.url, self._max_bytes)
                if not member.folder:
                    sizes[member.name] = member.size
        return sizes

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102 - see Source
        with _readable(self.url):
            for member in self._members():
                if member.name in names and (file := member.open()):
                    with file:
                        yield member.name, self._pieces(file)

    def _pieces(self, file: IO[bytes]) -> Iterator[bytes]:
        with _readable(self.url):
            yield from iter(partial(file.read, PIECE), b"")


def open_archive(path: Path, *, max_bytes: int = MAX_BYTES) -> ArchiveSource:
    """Open a zip or tar file, which may be compressed with gzip, bzip2 or xz.

    Raises:
        DataError: it is neither, or its beginning is damaged.
    """
    with _readable(str(path)):
        if _magic(path).startswith(b"PK"):
            return ArchiveSource(path, partial(_zip_members, path), max_bytes)
        with contextlib.suppress(tarfile.ReadError), _open_tar(path, max_bytes):
            return ArchiveSource(path, partial(_tar_members, path, max_bytes), max_bytes)
    raise DataError(
        f"{path} is no zip or tar file, or its beginning is damaged. Expected one of these, plain or compressed with "
        "gzip, bzip2 or xz."
    )


def _zip_members(path: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)  # 0 if the archive was made on Windows
            special = kind not in (0, stat.S_IFREG, stat.S_IFDIR)
            folder = member.filename.endswith("/")  # is_dir() fails for an empty name
            yield _Member(member.filename, member.file_size, special, folder, partial(archive.open, member))


def _tar_members(path: Path, max_bytes: int) -> Iterator[_Member]:
    with _open_tar(path, max_bytes) as (archive, stream):
        for member in archive:
            special = not member.isdir() and (not member.isreg() or member.issparse())
            yield _Member(member.name, member.size, special, member.isdir(), partial(archive.extractfile, member))
        # tarfile treats a broken header as the end; the real end is a block of zeros
        if stream.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError(f"no end after member {len(archive.getmembers())}")
        while stream.read(PIECE):  # to the end, where the checksum of compressed data is
            pass


class _LimitedReader(io.BufferedIOBase):
    """The bytes of a tar file, unpacked up to a limit; tarfile itself would unpack a bomb to its end."""

    def __init__(self, file: io.BufferedIOBase, limit: int, url: str) -> None:
        self.last = b""
        """Result of the last `read`."""
        self._file = file
        self._limit = limit
        self._url = url

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)  # skips members, whose sizes were counted before

    def read(self, size: int | None = -1, /) -> bytes:
        # tarfile reads long names and other headers in one piece, of any length that they claim
        if size is None or not 0 <= size <= PIECE or self.tell() > self._limit:
            raise _too_large(self._url, self._limit)
        self.last = self._file.read(size)
        return self.last


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(6)


@contextlib.contextmanager
def _open_tar(path: Path, max_bytes: int) -> Iterator[tuple[tarfile.TarFile, _LimitedReader]]:
    magic = _magic(path)
    opener = next((opener for start, opener in _COMPRESSED.items() if magic.startswith(start)), _open_plain)
    with opener(path) as unpacked:
        # headers and padding add to the size of the members
        stream = _LimitedReader(unpacked, max_bytes + MAX_MEMBERS * 2 * tarfile.BLOCKSIZE, str(path))
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            yield archive, stream


def _open_plain(path: Path) -> io.BufferedIOBase:
    return path.open("rb")


def _too_large(url: str, max_bytes: int) -> DataError:
    return DataError(
        f"{url} unpacks to more than {max_bytes / 1e9:,.0f} GB or {MAX_MEMBERS:,} files. Nothing was written. "
        "If you trust the archive, unpack it yourself and name the folder."
    )


@contextlib.contextmanager
def _readable(url: str) -> Iterator[None]:
    """Raise DataError for the standard library's errors about damaged archives."""
    try:
        yield
    except AnimalsError:
        raise
    except RuntimeError as error:  # of zipfile: a password, or an unknown compression
        raise DataError(f"{url} cannot be read: {error}. Unpack it yourself and name the folder.") from error
    except _DAMAGE as error:
        raise DataError(
            f"{url} cannot be read completely: {error}. Download it again and repeat the command, which then resumes."
        ) from error
