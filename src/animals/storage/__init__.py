"""A bucket: a local folder or `gs://name/prefix`, behind one interface.

Object names are relative paths with forward slashes, as in `models/current.json`. A write is durable when it returns;
a reader sees the whole old object or the whole new one.
"""

from pathlib import Path

from animals.errors import ConfigError
from animals.storage.folder import FolderStorage
from animals.storage.gcs import RETRY_DEADLINE, GcsStorage
from animals.storage.protocol import ABSENT, Storage, StoredObject

__all__ = ["ABSENT", "FolderStorage", "GcsStorage", "Storage", "StoredObject", "open_storage"]


def open_storage(url: str, *, retry_deadline: float = RETRY_DEADLINE) -> Storage:
    """Return the bucket of a URL: `gs://name/prefix`, or else a local folder, which need not exist yet.

    Args:
        url: URL of the bucket.
        retry_deadline: seconds after which a failing request is not retried any more.

    Raises:
        ConfigError: the URL has another scheme or no bucket name.
    """
    scheme, separator, rest = url.partition("://")
    if url and not separator and not url.startswith("gs:"):
        return FolderStorage(Path(url).expanduser())
    bucket, _, prefix = rest.partition("/")
    if scheme != "gs" or not bucket:
        raise ConfigError(f'The bucket "{url}" is neither a local folder nor of the form gs://name/prefix.')
    return GcsStorage(bucket, prefix.strip("/"), retry_deadline=retry_deadline)
