"""Pictures from a bucket or a local folder, through `animals.storage`.

Google's library checks each object against the checksum that the bucket keeps, so damage on the way is an error.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from animals.storage import Storage, open_storage

THREADS: Final = 16
"""Objects that are read at once: each waits for the network most of its time."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class BucketSource:
    """All objects below a URL that `open_storage` understands."""

    def __init__(self, url: str) -> None:
        self.url = open_storage(url).url
        self._own = threading.local()

    def sizes(self) -> dict[str, int]:  # noqa: D102 - the protocol says it
        return dict(self._storage().sizes())

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterable[bytes]]]:  # noqa: D102
        for name, data in in_threads(self._read, names):
            yield name, [data]

    def _read(self, name: str) -> bytes:
        return self._storage().read(name).data

    def _storage(self) -> Storage:
        """One for each thread, since Google's client keeps fewer connections open than there are threads."""
        if not hasattr(self._own, "storage"):
            self._own.storage = open_storage(self.url)
        storage: Storage = self._own.storage
        return storage


def in_threads(
    job: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS
) -> Iterator[tuple[Item, Result]]:
    """Like `map` with threads, but with few results waiting, so that memory stays small: two a thread."""
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(job, item)))
                if len(waiting) == 2 * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for item, future in waiting:
                yield item, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
