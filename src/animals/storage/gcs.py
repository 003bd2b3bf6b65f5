"""A bucket in Google Cloud Storage. The library is imported at first use, which takes half a second."""

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from animals.errors import NoSuchObject, StorageUnavailable
from animals.storage.protocol import ABSENT, StoredObject, changed, checked, checked_prefix, is_name

if TYPE_CHECKING:
    from google.cloud import storage as gcs

REQUEST_TIMEOUT: Final = 20.0
"""Timeout of a request in seconds."""

RETRY_DEADLINE: Final = 60.0
"""Seconds after which the client library stops retrying a failing request."""


class GcsStorage:
    """A bucket in Google Cloud Storage, or in its emulator if `STORAGE_EMULATOR_HOST` is set."""

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
        self._prefix = f"{checked(prefix)}/" if prefix else ""
        self._request_timeout = request_timeout
        self._retry_deadline = retry_deadline
        self._client_bucket: gcs.Bucket | None = None

    @property
    def _bucket(self) -> "gcs.Bucket":
        # created at first use, because credentials may be missing
        if self._client_bucket is None:
            from google.cloud import storage as gcs

            # else each client requests the bucket's metadata, which needs another permission
            os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
            with self._errors():
                # objects need no project, and credentials without one are valid
                self._client_bucket = gcs.Client(project=None).bucket(self._name)
        return self._client_bucket

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn Google's exceptions into `StorageUnavailable`."""
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
                f"{self.url}: permission denied ({error}). Log in with `gcloud auth application-default login` "
                "or give the service account access."
            ) from error
        except DataCorruption as error:
            raise StorageUnavailable(f"{self.url} sent or received damaged data: {error}") from error
        except (google.GoogleAPIError, RequestException) as error:
            raise StorageUnavailable(f"{self.url} cannot be reached: {error}") from error

    @contextlib.contextmanager
    def _missing(self, name: str) -> Iterator[None]:
        """Turn a 404 into `NoSuchObject`, unless the whole bucket is missing, which a listing shows."""
        from google.api_core.exceptions import NotFound

        try:
            yield
        except NotFound as error:
            next(self._list("", max_results=1), None)
            raise NoSuchObject(f"{self.url} has no object {name}.") from error

    def _blob(self, name: str) -> "gcs.Blob":
        return self._bucket.blob(self._prefix + checked(name))

    def _list(self, prefix: str, max_results: int | None = None) -> "Iterator[gcs.Blob]":
        return iter(self._bucket.list_blobs(prefix=self._prefix + prefix, max_results=max_results, **self._options()))

    def _options(self) -> dict[str, Any]:
        from google.cloud.storage.retry import DEFAULT_RETRY

        return {"timeout": self._request_timeout, "retry": DEFAULT_RETRY.with_timeout(self._retry_deadline)}

    def read(self, name: str) -> StoredObject:  # noqa: D102 - see the protocol
        return self._read(name)

    def read_if_changed(self, name: str, generation: str | None) -> StoredObject | None:  # noqa: D102
        from google.api_core.exceptions import NotModified

        try:
            stored = self._read(name, if_generation_not_match=None if generation is None else int(generation))
        except NotModified:
            return None
        return None if stored.generation == generation else stored  # the emulator ignores the condition

    def _read(self, name: str, **conditions: int | None) -> StoredObject:
        blob = self._blob(name)
        with self._errors(), self._missing(name):
            # sets the blob's generation too
            data = blob.download_as_bytes(**conditions, **self._options())
        return StoredObject(data, str(blob.generation))

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:  # noqa: D102
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(name)
        expected = None if if_generation is None else 0 if if_generation == ABSENT else int(if_generation)
        with self._errors():
            try:
                blob.upload_from_string(data, if_generation_match=expected, checksum="crc32c", **self._options())
            except PreconditionFailed as error:
                # a request whose response was lost is retried, and then refused because of itself
                with contextlib.suppress(NoSuchObject):
                    stored = self.read(name)
                    if stored.data == data:
                        return stored.generation
                raise changed(name, self.url) from error
        return str(blob.generation)

    def names(self, prefix: str = "") -> Iterator[str]:  # noqa: D102
        for name, _ in self.sizes(prefix):
            yield name

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:  # noqa: D102
        with self._errors():
            for blob in self._list(checked_prefix(prefix)):
                name = blob.name.removeprefix(self._prefix)
                if is_name(name):  # other tools create objects such as "models/"
                    yield name, blob.size

    def delete(self, name: str, *, if_generation: str | None = None) -> None:  # noqa: D102
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(name)
        with self._errors(), self._missing(name):
            if if_generation is not None and "STORAGE_EMULATOR_HOST" in os.environ:
                # the emulator ignores the condition of a deletion: check it before
                blob.reload(**self._options())
                if str(blob.generation) != if_generation:
                    raise changed(name, self.url)
            try:
                expected = None if if_generation is None else int(if_generation)
                blob.delete(if_generation_match=expected, **self._options())
            except PreconditionFailed as error:
                raise changed(name, self.url) from error
