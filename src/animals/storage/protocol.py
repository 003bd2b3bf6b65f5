"""The interface of a bucket, and the rules for object names."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from animals.errors import ConfigError, ObjectChanged

ABSENT: Final = "absent"
"""Generation of an object that does not exist: a write with it creates and never overwrites."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object's content, and its generation at the time of reading."""

    data: bytes
    generation: str


class Storage(Protocol):
    """Interface of a bucket.

    Every method raises `StorageUnavailable` if the bucket cannot be reached, and `ConfigError` for a name that is not a
    plain relative path without hidden parts.
    """

    url: str

    def read(self, name: str) -> StoredObject:
        """Read an object.

        Raises:
            NoSuchObject: there is no such object.
        """

    def read_if_changed(self, name: str, generation: str | None) -> StoredObject | None:
        """Read an object, or return None without downloading it if it still has this generation.

        Raises:
            NoSuchObject: there is no such object.
        """

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        """Write an object durably.

        Args:
            name: name of the object.
            data: its whole content.
            if_generation: write only if the object has this generation (`ABSENT`: only if it does not exist).

        Returns:
            The new generation.

        Raises:
            ObjectChanged: the object has another generation and other content.
        """

    def names(self, prefix: str = "") -> Iterator[str]:
        """Yield the names of all objects with a prefix in lexical order."""

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield the same names, each with the object's size in bytes."""

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        """Delete an object.

        Args:
            name: name of the object.
            if_generation: delete it only if it has this generation.

        Raises:
            NoSuchObject: there is no such object.
            ObjectChanged: it has another generation.
        """


def changed(name: str, url: str) -> ObjectChanged:
    """Return the error of a conditional write after another process wrote the object."""
    return ObjectChanged(f"{name} in {url} was changed by another process. Read it again, then retry.")


def is_name(name: str) -> bool:
    """Return whether this is a valid object name."""
    # a folder has hidden files of its own: its lock, and files that are being written
    hidden = any(not part or part.startswith(".") for part in name.split("/"))
    return not hidden and "\\" not in name and (name.isprintable() or not any(map(_is_control, name)))


def _is_control(char: str) -> bool:
    # they could forge log lines, or cannot be encoded; unusual spaces and joiners occur in names of real pictures
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def checked(name: str) -> str:
    """Return the name if it is valid.

    Raises:
        ConfigError: it is not valid.
    """
    if not is_name(name):
        raise ConfigError(f"{name!r} is not an object name; expected a relative path such as models/current.json.")
    return name


def checked_prefix(prefix: str) -> str:
    """Return the prefix if names can begin with it; it may end within a part.

    Raises:
        ConfigError: no valid name begins with it.
    """
    if prefix:
        checked(prefix.removesuffix("/"))
    return prefix
