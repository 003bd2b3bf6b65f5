"""Pictures from a bucket or a local folder.

Google's library checks each object against the checksum in the bucket, so data damaged on the way raises an error.
"""

import threading
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from animals.concurrency import in_threads
from animals.storage import Storage, open_storage

THREADS: Final = 16
"""Objects that are read at once; each mostly waits for the network."""


class BucketSource:
    """All objects below a URL of `open_storage`."""

    def __init__(self, url: str) -> None:
        self.url = open_storage(url).url
        self._local = threading.local()

    def sizes(self) -> dict[str, int]:  # noqa: D102 - see Source
        return dict(self._storage().sizes())

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102 - see Source
        for name, data in in_threads(self._read, names, threads=THREADS):
            yield name, [data]

    def _read(self, name: str) -> bytes:
        return self._storage().read(name).data

    def _storage(self) -> Storage:
        """Return the storage of this thread: Google's client keeps fewer connections than there are threads."""
        if not hasattr(self._local, "storage"):
            self._local.storage = open_storage(self.url)
        storage: Storage = self._local.storage
        return storage
