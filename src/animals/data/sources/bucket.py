"""Pictures from a bucket or a local folder, through `animals.storage`.

Google's library checks each object against the checksum that the bucket keeps, so damage on the way is an error.
"""

import threading
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from animals.concurrency import in_threads
from animals.storage import Storage, open_storage

THREADS: Final = 16
"""Objects that are read at once: each waits for the network most of its time."""


class BucketSource:
    """All objects below a URL that `open_storage` understands."""

    def __init__(self, url: str) -> None:
        self.url = open_storage(url).url
        self._own = threading.local()

    def sizes(self) -> dict[str, int]:  # noqa: D102 - the protocol says it
        return dict(self._storage().sizes())

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102
        for name, data in in_threads(self._read, names, threads=THREADS):
            yield name, [data]

    def _read(self, name: str) -> bytes:
        return self._storage().read(name).data

    def _storage(self) -> Storage:
        """One for each thread, since Google's client keeps fewer connections open than there are threads."""
        if not hasattr(self._own, "storage"):
            self._own.storage = open_storage(self.url)
        storage: Storage = self._own.storage
        return storage
