"""A bucket that calls a function at each operation: to fail, to wait, or to change the bucket meanwhile."""

from collections.abc import Callable, Iterator

from animals.storage import Storage, StoredObject

Hook = Callable[[str, str], None]
"""Called with an event and a name or prefix. Events: read, after read, write, delete, after sizes."""


def ignore(_event: str, _name: str) -> None:
    """Do nothing: the hook by default."""


def on(event: str, action: Callable[[str], object]) -> Hook:
    """Return a hook that acts on one event."""

    def hook(called: str, name: str) -> None:
        if called == event:
            action(name)

    return hook


class HookedStorage:
    """A bucket that records operations of another one, and calls `hook` before and after them."""

    def __init__(self, storage: Storage, hook: Hook = ignore) -> None:
        self.url = storage.url
        self.names = storage.names
        self.hook = hook
        """May be replaced at any time."""
        self.reads: list[str] = []
        self.writes: list[str] = []
        self._storage = storage

    def read(self, name: str) -> StoredObject:
        self.reads.append(name)
        self.hook("read", name)
        try:
            return self._storage.read(name)
        finally:
            self.hook("after read", name)

    def read_if_changed(self, name: str, generation: str | None) -> StoredObject | None:
        self.reads.append(name)
        self.hook("read", name)
        return self._storage.read_if_changed(name, generation)

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        self.writes.append(name)
        self.hook("write", name)
        return self._storage.write(name, data, if_generation=if_generation)

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        yield from self._storage.sizes(prefix)
        self.hook("after sizes", prefix)

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        self.hook("delete", name)
        self._storage.delete(name, if_generation=if_generation)
