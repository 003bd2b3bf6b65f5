"""A bucket that records reads and writes, and calls a hook before each: to fail, to wait or to act in between."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from animals.storage import FolderStorage, Storage, StoredObject

if TYPE_CHECKING:
    _Base = FolderStorage  # for the type checker it is any bucket
else:
    _Base = object


class HookedStorage(_Base):
    """Forwards every call to the storage that it is given."""

    def __init__(self, storage: Storage) -> None:
        self.reads: list[str] = []
        self.writes: list[str] = []
        self.before_read: Callable[[str], None] = lambda _: None
        self.before_write: Callable[[str], None] = lambda _: None
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)

    def read(self, name: str) -> StoredObject:
        self.reads.append(name)
        self.before_read(name)
        return self._storage.read(name)

    def read_if_changed(self, name: str, generation: str | None) -> StoredObject | None:
        self.reads.append(name)
        self.before_read(name)
        return self._storage.read_if_changed(name, generation)

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        self.writes.append(name)
        self.before_write(name)
        return self._storage.write(name, data, if_generation=if_generation)
