"""A bucket that calls a function at each operation: to fail, or to change the bucket meanwhile."""

from collections.abc import Callable, Iterator

from animals.storage import Storage, StoredObject

Hook = Callable[[str, str], None]
"""Called with an event and a name or prefix. Events: read, after read, write, delete, after sizes."""


class HookedStorage:
    """A bucket that calls `hook` before and after operations of another one."""

    def __init__(self, storage: Storage, hook: Hook) -> None:
        self.url = storage.url
        self.names = storage.names
        self.read_if_changed = storage.read_if_changed
        self._storage = storage
        self._hook = hook

    def read(self, name: str) -> StoredObject:
        self._hook("read", name)
        try:
            return self._storage.read(name)
        finally:
            self._hook("after read", name)

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        self._hook("write", name)
        return self._storage.write(name, data, if_generation=if_generation)

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        yield from self._storage.sizes(prefix)
        self._hook("after sizes", prefix)

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        self._hook("delete", name)
        self._storage.delete(name, if_generation=if_generation)


def on(event: str, action: Callable[[str], object]) -> Hook:
    """Return a hook that acts on one event."""

    def hook(called: str, name: str) -> None:
        if called == event:
            action(name)

    return hook
