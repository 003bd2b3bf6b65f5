"""The registry of published models in a bucket.

```
models/<version>/…          written once, never changed
models/current.json         names the served version; written last
```
"""

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import ValidationError

from animals import records
from animals.errors import BrokenModel, NoModel, NoSuchObject
from animals.records import Card, Current, FileInfo, explain
from animals.storage import ABSENT, Storage

CURRENT: Final = "models/current.json"
CARD: Final = "card.json"
ONNX: Final = records.ONNX
INT8: Final = records.INT8
REFERENCE: Final = "reference.parquet"


def file_name(version: str, file: str) -> str:
    """Return the object name of a file of a version."""
    return f"models/{version}/{file}"


def describe(data: bytes) -> FileInfo:
    """Return checksum and size of a file's content, as stored in the card."""
    return FileInfo(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def read_current(storage: Storage) -> Current:
    """Read which version is served.

    Raises:
        NoModel: no version is published yet.
        BrokenModel: current.json cannot be read.
    """
    with _published(storage):
        return _parse_current(storage, storage.read(CURRENT).data)


def read_current_if_changed(storage: Storage, generation: str | None) -> tuple[Current, str] | None:
    """Read which version is served, and the generation of current.json; None if it has this generation.

    Raises:
        NoModel: no version is published yet.
        BrokenModel: current.json cannot be read.
    """
    with _published(storage):
        stored = storage.read_if_changed(CURRENT, generation)
    return None if stored is None else (_parse_current(storage, stored.data), stored.generation)


@contextlib.contextmanager
def _published(storage: Storage) -> Iterator[None]:
    try:
        yield
    except NoSuchObject as error:
        raise NoModel(f"No model is published in {storage.url}. Train one first: invoke train") from error


def _parse_current(storage: Storage, data: bytes) -> Current:
    try:
        return Current.model_validate_json(data)
    except ValidationError as error:
        raise BrokenModel(
            f"{CURRENT} in {storage.url} cannot be read: {explain(error)}. Delete it, then promote a version again."
        ) from error


def read_card(storage: Storage, version: str) -> Card:
    """Read the card of a version.

    Raises:
        NoModel: the bucket has no such version.
        BrokenModel: its card cannot be read, or is that of another version.
    """
    name = file_name(version, CARD)
    try:
        card = Card.model_validate_json(storage.read(name).data)
    except NoSuchObject as error:
        raise NoModel(f"{storage.url} has no version {version}. Latest versions: {_latest(storage)}.") from error
    except ValidationError as error:
        raise BrokenModel(
            f"{name} in {storage.url} cannot be read by this version of animals: {explain(error)}. "
            "Publish the run again or promote another."
        ) from error
    if card.version != version:
        raise BrokenModel(f"{name} in {storage.url} is the card of version {card.version}; expected {version}.")
    return card


def read_file(storage: Storage, card: Card, file: str) -> bytes:
    """Read a file of a version, and compare it with the checksum in its card.

    Raises:
        BrokenModel: it is missing or was changed.
    """
    name = file_name(card.version, file)
    try:
        data = storage.read(name).data
    except NoSuchObject as error:
        raise BrokenModel(f"{name} is missing in {storage.url}. Publish the run again or promote another.") from error
    if file not in card.files or describe(data) != card.files[file]:
        raise BrokenModel(f"{name} is not the file that was published: its checksum differs from the card.")
    return data


def versions(storage: Storage) -> list[str]:
    """Return all completely published versions, the oldest first."""
    parts = [name.split("/") for name in storage.names("models/")]
    return sorted({part[1] for part in parts if len(part) == 3 and part[2] == CARD})


def _latest(storage: Storage) -> str:
    return ", ".join(versions(storage)[-5:]) or "none"


def write_version(storage: Storage, card: Card, files: Mapping[str, bytes]) -> None:
    """Write a version: its files, then the card that completes it.

    An interrupted call can be repeated: existing files with the same content are kept.

    Args:
        storage: the bucket.
        card: lists `files` with their checksums.
        files: content by file name.

    Raises:
        BrokenModel: the files differ from those that the card lists; nothing is written.
        ObjectChanged: a file of that version exists with other content.
    """
    different = [file for file, info in card.files.items() if file not in files or describe(files[file]) != info]
    if different:
        raise BrokenModel(f"Version {card.version} would be broken: its card lists other files {', '.join(different)}.")
    for file, data in {**files, CARD: card.model_dump_json(indent=2).encode()}.items():
        storage.write(file_name(card.version, file), data, if_generation=ABSENT)


def promote(storage: Storage, version: str, *, reason: str) -> Current:
    """Make a version the served one.

    Raises:
        NoModel: the bucket has no such version.
        BrokenModel: its card or current.json cannot be read.
        ObjectChanged: another process promoted a version at the same time.
    """
    read_card(storage, version)
    try:
        stored = storage.read(CURRENT)
    except NoSuchObject:
        generation, previous = ABSENT, None
    else:
        generation, before = stored.generation, _parse_current(storage, stored.data)
        previous = before.previous if before.version == version else before.version
    current = Current(version=version, previous=previous, reason=reason)
    storage.write(CURRENT, current.model_dump_json(indent=2).encode(), if_generation=generation)
    return current


def rollback(storage: Storage, *, reason: str) -> Current:
    """Promote the previously served version again; a second call undoes the first.

    Raises:
        NoModel: no version is published, or none was served before.
        BrokenModel: the card of that version or current.json cannot be read.
        ObjectChanged: another process promoted a version at the same time.
    """
    current = read_current(storage)
    if current.previous is None:
        raise NoModel(
            f"No version was served before {current.version}. Promote another one: invoke promote VERSION. "
            f"Latest versions: {_latest(storage)}."
        )
    return promote(storage, current.previous, reason=reason)
