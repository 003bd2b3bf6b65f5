"""What a bucket is: its verbs, the names of objects, and what goes wrong alike in every kind of bucket."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from animals.errors import ConfigError, ObjectChanged

ABSENT: Final = "absent"
"""The generation of an object that does not exist: write with it to create and never overwrite."""


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

    def read_if_changed(self, name: str, generation: str | None) -> StoredObject | None:
        """The object's content, unless it still has this generation: then None, and its content is not fetched.

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

    def sizes(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """The same names, each with the object's size in bytes."""

    def delete(self, name: str, *, if_generation: str | None = None) -> None:
        """Remove the object.

        Args:
            name: of the object.
            if_generation: remove it only if it still has this generation.

        Raises:
            NoSuchObject: there is none of that name.
            ObjectChanged: it has another generation by now.
        """


def changed(name: str, url: str) -> ObjectChanged:
    """The error for a conditional write that came too late."""
    return ObjectChanged(f"{name} in {url} was written by somebody else meanwhile. Read it again first.")


def is_name(name: str) -> bool:
    """Whether an object may be called so."""
    # hidden names are a folder's own: its lock, and files that are still being written
    hidden = any(not part or part.startswith(".") for part in name.split("/"))
    return not hidden and "\\" not in name and (name.isprintable() or not any(map(_is_control, name)))


def _is_control(char: str) -> bool:
    # they would forge a log's lines, or cannot be sent; odd spaces and joiners are in the names of real pictures
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")


def checked(name: str) -> str:
    """The name as it is.

    Raises:
        ConfigError: no object may be called so.
    """
    if not is_name(name):
        raise ConfigError(f"{name!r} is no object name; expected a relative path such as models/current.json.")
    return name


def checked_prefix(prefix: str) -> str:
    """The beginning of names as it is; it may end within a part.

    Raises:
        ConfigError: no object's name begins so.
    """
    if prefix:
        checked(prefix.removesuffix("/"))
    return prefix
