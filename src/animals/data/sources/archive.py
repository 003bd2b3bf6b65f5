"""Pictures from a zip or tar file that nobody needs to have looked into.

Nothing is ever extracted by the name that an archive gives: members are read as streams, and `fetch` decides where they
go. An archive that holds anything but plain files and folders below it, or more than `MAX_BYTES`, is refused before a
file is written.
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
from pathlib import Path
from typing import Final

from animals.data.sources.import_pictures import Source
from animals.data.sources.label_folders import is_safe
from animals.errors import AnimalsError, DataError

MAX_BYTES: Final = 50_000_000_000
"""Unpacked size of an archive that is still read: 80 times that of Animals-10."""

MAX_MEMBERS: Final = 1_000_000
"""Files and folders of an archive that is still read; each takes memory."""

PIECE: Final = 1 << 20
"""Bytes that are read at once."""

_OPENERS: Final[dict[bytes, Callable[[Path], io.BufferedIOBase]]] = {
    b"\x1f\x8b": gzip.GzipFile,
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\0": lzma.LZMAFile,
}
"""First bytes of a compressed file -> how to open it."""

_DAMAGE: Final = (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError)


def open_archive(path: Path, *, max_bytes: int = MAX_BYTES) -> Source:
    """The pictures in a zip or tar file, which may be compressed with gzip, bzip2 or xz.

    Raises:
        DataError: it is neither, or damaged from its beginning.
    """
    with _readable(path):
        if _magic(path).startswith(b"PK"):
            return ZipSource(path, max_bytes)
        with contextlib.suppress(tarfile.ReadError), _open_tar(path, max_bytes):
            return TarSource(path, max_bytes)
    raise DataError(
        f"{path} is no zip or tar file, or damaged from its beginning. Expected one of these, plain or compressed with "
        "gzip, bzip2 or xz."
    )


class ZipSource:
    """The members of a zip file; each is checked against its CRC when it is read."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.url = str(path)
        self._path = path
        self._max_bytes = max_bytes

    def sizes(self) -> dict[str, int]:  # noqa: D102 - the protocol says it
        check = _Check(self.url, self._max_bytes)
        with _readable(self._path), zipfile.ZipFile(self._path) as archive:
            for member in archive.infolist():
                kind = stat.S_IFMT(member.external_attr >> 16)  # 0 where the archive was made on Windows
                plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
                folder = member.filename.endswith("/")  # is_dir() fails on an empty name
                check.member(member.filename, member.file_size, plain=plain, folder=folder)
        return check.sizes

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102
        with _readable(self._path):
            archive = zipfile.ZipFile(self._path)
        with archive:
            for name in names:
                yield name, self._pieces(archive, name)

    def _pieces(self, archive: zipfile.ZipFile, name: str) -> Iterator[bytes]:
        with _readable(self._path), archive.open(name) as file:
            yield from iter(lambda: file.read(PIECE), b"")


class TarSource:
    """The members of a tar file, read from end to end: once to look at them, once for their contents."""

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.url = str(path)
        self._path = path
        self._max_bytes = max_bytes

    def sizes(self) -> dict[str, int]:  # noqa: D102 - the protocol says it
        check = _Check(self.url, self._max_bytes)
        with _readable(self._path), _open_tar(self._path, self._max_bytes) as (archive, stream):
            for member in archive:
                plain = member.isdir() or (member.isreg() and not member.issparse())
                check.member(member.name, member.size, plain=plain, folder=member.isdir())
            # tarfile takes a broken header for the end; a true end is a block of zeros
            if stream.last != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError(f"no end after member {len(check.sizes)}")
            while stream.read(PIECE):  # the checksum of what is compressed comes last
                pass
        return check.sizes

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102
        with contextlib.ExitStack() as stack:
            with _readable(self._path):
                archive, _ = stack.enter_context(_open_tar(self._path, self._max_bytes))
            for member in self._members(archive):
                if member.name in names and member.isreg():
                    yield member.name, self._pieces(archive, member)

    def _members(self, archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
        with _readable(self._path):
            yield from archive

    def _pieces(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
        with _readable(self._path):
            file = archive.extractfile(member)
            if file:  # pragma: no branch - only links and folders have none
                yield from iter(lambda: file.read(PIECE), b"")


class _Check:
    """Collects the sizes of an archive's files, and refuses what is no plain file or too much."""

    def __init__(self, url: str, max_bytes: int) -> None:
        self.sizes: dict[str, int] = {}
        self._url = url
        self._max_bytes = max_bytes
        self._bytes = self._members = 0

    def member(self, name: str, size: int, *, plain: bool, folder: bool) -> None:
        if not plain or not is_safe(name):
            raise DataError(
                f"{self._url} holds {name!r}, which is no plain file below the archive's own folder. Nothing was "
                "written. If you trust it, unpack it yourself and name the folder."
            )
        self._members += 1
        self._bytes += size
        if self._bytes > self._max_bytes or self._members > MAX_MEMBERS:
            raise _too_much(self._url, self._max_bytes)
        if not folder:
            self.sizes[name] = size


class _Stream(io.BufferedIOBase):
    """A tar file's bytes, unpacked up to a limit; tarfile itself would follow a bomb to its end."""

    def __init__(self, file: io.BufferedIOBase, limit: int, url: str) -> None:
        self.last = b""
        """What the newest call of `read` returned."""
        self._file = file
        self._limit = limit
        self._url = url

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, place: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(place, whence)  # past members, whose sizes were counted before

    def read(self, size: int | None = -1, /) -> bytes:
        # tarfile reads long names and other headers at once, of any length that they claim
        if size is None or not 0 <= size <= PIECE or self.tell() > self._limit:
            raise _too_much(self._url, self._limit)
        self.last = self._file.read(size)
        return self.last


def _magic(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(6)


def _open_plain(path: Path) -> io.BufferedIOBase:
    return path.open("rb")


@contextlib.contextmanager
def _open_tar(path: Path, max_bytes: int) -> Iterator[tuple[tarfile.TarFile, _Stream]]:
    magic = _magic(path)
    opener = next((opener for start, opener in _OPENERS.items() if magic.startswith(start)), _open_plain)
    with opener(path) as unpacked:
        # padding, headers and the end come on top of the members
        stream = _Stream(unpacked, max_bytes + MAX_MEMBERS * 2 * tarfile.BLOCKSIZE, str(path))
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            yield archive, stream


def _too_much(url: str, max_bytes: int) -> DataError:
    return DataError(
        f"{url} holds more than {max_bytes / 1e9:,.0f} GB or {MAX_MEMBERS:,} files unpacked. Nothing was written. "
        "If you trust it, unpack it yourself and name the folder."
    )


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What the standard library raises on damaged archives ends here."""
    try:
        yield
    except AnimalsError:
        raise
    except RuntimeError as error:  # zipfile: a password, or a compression that it does not know
        raise DataError(f"{path} cannot be read: {error}. Unpack it yourself and name the folder.") from error
    except _DAMAGE as error:
        raise DataError(
            f"{path} cannot be read whole: {error}. If it is damaged, get it again; the same command then goes on."
        ) from error
