"""A bucket: a local folder or `gs://name/prefix`, behind a few verbs.

Object names are relative paths with forward slashes, as in `models/current.json`. A write that has returned is
stored; a reader sees the whole old object or the whole new one.
"""

import contextlib
import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from filelock import FileLock

from animals.errors import ConfigError, NoSuchObject, ObjectChanged, StorageError, StorageUnavailable

if TYPE_CHECKING:
    from google.cloud import storage as gcs

ABSENT: Final = "absent"
"""The generation of an object that does not exist: write with it to create and never overwrite."""

REQUEST_TIMEOUT: Final = 20.0
"""Seconds for one request to Google Cloud Storage."""

RETRY_DEADLINE: Final = 60.0
"""Seconds after which the client library stops repeating a request that fails for passing reasons."""

LOCK_TIMEOUT: Final = 20.0
"""Seconds that a writer to a folder waits for the others."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's content and the generation that it had when it was read."""

    data: bytes
    generation: str


class Storage(Protocol):
    """What the rest of the package asks of a bucket.

    Each verb raises `StorageUnavailable` when the bucket cannot be reached, and `ConfigError` for a name that is not
    a plain relative path without hidden parts.
    """

    url: str
    """Where it is, as a person would type it."""

    def read(self, name: str) -> StoredObject:
        """The object's content.

        Raises:
            NoSuchObject: there is none of that name.
        """

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        """Store the content; once this returns it is durable.

        Args:
            name: of the object.
            data: its whole content.
            if_generation: write only if the object still has this generation (`ABSENT`: only if there is none).

        Returns:
            The new generation.

        Raises:
            ObjectChanged: the object has another generation by now, and other content than this.
        """

    def names(self, prefix: str = "") -> Iterator[str]:
        """Names of all objects that start with the prefix, in lexical order."""

    def delete(self, name: str) -> None:
        """Remove the object.

        Raises:
            NoSuchObject: there is none of that name.
        """


def open_storage(url: str) -> Storage:
    """The bucket behind a URL: `gs://name/prefix`, or else a local folder, which need not exist yet.

    Raises:
        ConfigError: the URL has another scheme or no bucket name.
    """
    scheme, separator, rest = url.partition("://")
    if url and not separator and not url.startswith("gs:"):
        return FolderStorage(Path(url).expanduser())
    bucket, _, prefix = rest.partition("/")
    if scheme != "gs" or not bucket:
        raise ConfigError(f'The bucket "{url}" is neither a local folder nor of the form gs://name/prefix.')
    return GcsStorage(bucket, prefix.strip("/"))


def _changed(name: str, url: str) -> ObjectChanged:
    return ObjectChanged(f"{name} in {url} was written by somebody else meanwhile. Read it again first.")


def _is_name(name: str) -> bool:
    # hidden names are a folder's own: its lock, and files that are still being written
    hidden = any(not part or part.startswith(".") for part in name.split("/"))
    return not hidden and "\\" not in name and name.isprintable()


def _checked(name: str) -> str:
    if not _is_name(name):
        raise ConfigError(f"{name!r} is no object name; expected a relative path such as models/current.json.")
    return name


def _checked_prefix(prefix: str) -> str:
    if prefix:
        _checked(prefix.removesuffix("/"))
    return prefix


_MISSING: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FolderStorage:
    """A bucket in a local folder; several processes on one machine may use it at once."""

    def __init__(self, root: Path, *, lock_timeout: float = LOCK_TIMEOUT) -> None:
        self.root = root
        self.url = str(root)
        self._lock_timeout = lock_timeout

    def _path(self, name: str) -> Path:
        return self.root / _checked(name)

    def read(self, name: str) -> StoredObject:  # noqa: D102 - the protocol says it
        path = self._path(name)
        try:
            data = path.read_bytes()
        except _MISSING as error:
            raise self._missing(name) from error
        except OSError as error:
            raise StorageUnavailable(f"Could not read {path}: {error.strerror}.") from error
        return StoredObject(data, _digest(data))

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:  # noqa: D102
        path, generation = self._path(name), _digest(data)
        try:
            _make_folder(path.parent)
            with _written_beside(path, data) as temporary, self._lock():
                if if_generation is not None and self._generation(name) not in (if_generation, generation):
                    raise _changed(name, self.url)
                temporary.replace(path)
            _flush_folder(path.parent)
        except OSError as error:
            raise StorageUnavailable(f"Could not write {path}: {error.strerror or error}.") from error
        return generation

    def _lock(self) -> FileLock:
        return FileLock(self.root / ".lock", timeout=self._lock_timeout)

    def _missing(self, name: str) -> StorageError:
        if self.root.is_file():
            return StorageUnavailable(f"The bucket {self.url} is a file; expected a folder, or nothing yet.")
        return NoSuchObject(f"{self.url} has no object {name}.")

    def _generation(self, name: str) -> str:
        try:
            return self.read(name).generation
        except NoSuchObject:
            return ABSENT

    def names(self, prefix: str = "") -> Iterator[str]:  # noqa: D102
        # only the folder that the prefix names is walked, not the whole bucket
        start = self.root / _checked_prefix(prefix).rpartition("/")[0]
        yield from sorted(name for name in self._walk(start) if name.startswith(prefix) and _is_name(name))

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

    def delete(self, name: str) -> None:  # noqa: D102
        path = self._path(name)
        try:
            with self._lock():
                path.unlink()
        except _MISSING as error:
            raise self._missing(name) from error
        except OSError as error:
            raise StorageUnavailable(f"Could not delete {path}: {error.strerror}.") from error


def _digest(data: bytes) -> str:
    # A folder keeps no generation numbers. The content's hash serves: two equal contents need no telling apart.
    return hashlib.sha256(data).hexdigest()


@contextlib.contextmanager
def _written_beside(path: Path, data: bytes) -> Iterator[Path]:
    """A hidden file next to `path` that holds the data, on the disk and ready to take its place."""
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
    """Like `mkdir(parents=True, exist_ok=True)`, but durable."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _flush_folder(folder.parent)


def _flush_folder(folder: Path) -> None:
    """What was created or renamed in the folder outlasts a power cut."""
    if os.name == "posix":  # pragma: no branch - elsewhere a folder cannot be opened, and a rename is durable by itself
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class GcsStorage:
    """A bucket in Google Cloud Storage, or in its emulator when `STORAGE_EMULATOR_HOST` is set."""

    def __init__(
        self,
        bucket: str,
        prefix: str = "",
        *,
        request_timeout: float = REQUEST_TIMEOUT,
        retry_deadline: float = RETRY_DEADLINE,
    ) -> None:
        self.url = f"gs://{bucket}/{prefix}".rstrip("/")
        self._name = bucket
        self._prefix = f"{_checked(prefix)}/" if prefix else ""
        self._request_timeout = request_timeout
        self._retry_deadline = retry_deadline
        self._bucket_made: gcs.Bucket | None = None

    @property
    def _bucket(self) -> "gcs.Bucket":
        # made at first use: the import takes half a second and the credentials may be missing
        if self._bucket_made is None:
            from google.cloud import storage as gcs

            # else each client asks for the bucket's metadata in the background, which needs a right of its own
            os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
            with self._errors():
                # objects need no project, and without this a log-in that names none would be refused
                self._bucket_made = gcs.Client(project=None).bucket(self._name)
        return self._bucket_made

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Google's exceptions end here."""
        from google.api_core import exceptions as google
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.storage.exceptions import DataCorruption
        from requests import RequestException

        try:
            yield
        except google.NotFound as error:
            raise StorageUnavailable(f"There is no bucket {self.url}. Create it or set ANIMALS_BUCKET.") from error
        except (google.Forbidden, google.Unauthorized, GoogleAuthError) as error:
            raise StorageUnavailable(
                f"{self.url} does not let us in: {error}. Log in with `gcloud auth application-default login` "
                "or give the service account access."
            ) from error
        except DataCorruption as error:
            raise StorageUnavailable(f"{self.url} sent or received damaged data: {error}") from error
        except (google.GoogleAPIError, RequestException) as error:
            raise StorageUnavailable(f"{self.url} cannot be reached: {error}") from error

    @contextlib.contextmanager
    def _missing(self, name: str) -> Iterator[None]:
        """A 404 for an object says that it is missing, or the whole bucket. A listing is refused only in that case."""
        from google.api_core.exceptions import NotFound

        try:
            yield
        except NotFound as error:
            next(self._list("", max_results=1), None)
            raise NoSuchObject(f"{self.url} has no object {name}.") from error

    def _blob(self, name: str) -> "gcs.Blob":
        return self._bucket.blob(self._prefix + _checked(name))

    def _list(self, prefix: str, max_results: int | None = None) -> "Iterator[gcs.Blob]":
        found = self._bucket.list_blobs(prefix=self._prefix + prefix, max_results=max_results, **self._options())
        return iter(found)

    def _options(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        return {"timeout": self._request_timeout, "retry": DEFAULT_RETRY.with_timeout(self._retry_deadline)}

    def read(self, name: str) -> StoredObject:  # noqa: D102 - the protocol says it
        blob = self._blob(name)
        with self._errors(), self._missing(name):
            data = blob.download_as_bytes(**self._options())  # sets the blob's generation from the same answer
        return StoredObject(data, str(blob.generation))

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:  # noqa: D102
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(name)
        expected = None if if_generation is None else 0 if if_generation == ABSENT else int(if_generation)
        with self._errors():
            try:
                blob.upload_from_string(data, if_generation_match=expected, checksum="crc32c", **self._options())
            except PreconditionFailed as error:
                # A request whose answer was lost is repeated, and then refused because of itself.
                with contextlib.suppress(NoSuchObject):
                    found = self.read(name)
                    if found.data == data:
                        return found.generation
                raise _changed(name, self.url) from error
        return str(blob.generation)

    def names(self, prefix: str = "") -> Iterator[str]:  # noqa: D102
        with self._errors():
            for blob in self._list(_checked_prefix(prefix)):
                if _is_name(name := blob.name.removeprefix(self._prefix)):  # others make objects such as "models/"
                    yield name

    def delete(self, name: str) -> None:  # noqa: D102
        blob = self._blob(name)
        with self._errors(), self._missing(name):
            blob.delete(**self._options())
