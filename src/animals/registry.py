"""The published models in a bucket: where each file lies, and how a version comes to serve.

```
models/<version>/…          written once, never changed
models/current.json         the version that serves; written last
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
    """The object's name of one file of a version."""
    return f"models/{version}/{file}"


def describe(data: bytes) -> FileInfo:
    """Checksum and size of a file's content, as the card keeps them."""
    return FileInfo(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def read_current(storage: Storage) -> Current:
    """Which version serves.

    Raises:
        NoModel: nothing is published yet.
        BrokenModel: the pointer cannot be read.
    """
    with _published(storage):
        return _parse_current(storage, storage.read(CURRENT).data)


def read_current_if_changed(storage: Storage, generation: str | None) -> tuple[Current, str] | None:
    """Which version serves, and the pointer's generation; None while it still has the generation given.

    Raises:
        NoModel: nothing is published yet.
        BrokenModel: the pointer cannot be read.
    """
    with _published(storage):
        found = storage.read_if_changed(CURRENT, generation)
    return None if found is None else (_parse_current(storage, found.data), found.generation)


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
            f"{CURRENT} in {storage.url} cannot be read: {explain(error)}. Delete it and promote a version again."
        ) from error


def read_card(storage: Storage, version: str) -> Card:
    """What is known of a version.

    Raises:
        NoModel: the bucket does not have that version.
        BrokenModel: its card cannot be read, or is that of another version.
    """
    name = file_name(version, CARD)
    try:
        card = Card.model_validate_json(storage.read(name).data)
    except NoSuchObject as error:
        raise NoModel(f"{storage.url} has no version {version}. Those it has: {_known(storage)}.") from error
    except ValidationError as error:
        raise BrokenModel(
            f"{name} in {storage.url} cannot be read by this version of animals: {explain(error)}. "
            "Publish the run again or promote another."
        ) from error
    if card.version != version:
        raise BrokenModel(f"{name} in {storage.url} is the card of version {card.version}, not of {version}.")
    return card


def read_file(storage: Storage, card: Card, file: str) -> bytes:
    """One file of a version, checked against the checksum on its card.

    Raises:
        BrokenModel: it is missing, or not what was published.
    """
    name = file_name(card.version, file)
    try:
        data = storage.read(name).data
    except NoSuchObject as error:
        raise BrokenModel(f"{name} is missing in {storage.url}. Publish the run again or promote another.") from error
    if file not in card.files or describe(data) != card.files[file]:
        raise BrokenModel(f"{name} is not the file that was published: its checksum differs from the one on the card.")
    return data


def versions(storage: Storage) -> list[str]:
    """All versions that were published whole, the oldest first."""
    parts = [name.split("/") for name in storage.names("models/")]
    return sorted({part[1] for part in parts if len(part) == 3 and part[2] == CARD})


def _known(storage: Storage) -> str:
    return ", ".join(versions(storage)[-5:]) or "none"


def write_version(storage: Storage, card: Card, files: Mapping[str, bytes]) -> None:
    """Store a version: its files, then the card that makes it complete.

    An interrupted call can be repeated: what is there already with the same content is left alone.

    Args:
        storage: the bucket.
        card: lists `files` with their checksums.
        files: content by file name.

    Raises:
        BrokenModel: the files are not those that the card lists; nothing is written.
        ObjectChanged: a file of that version is there with other content.
    """
    wrong = [file for file, info in card.files.items() if file not in files or describe(files[file]) != info]
    if wrong:
        raise BrokenModel(f"Version {card.version} would be broken: its card describes other files {', '.join(wrong)}.")
    for file, data in {**files, CARD: card.model_dump_json(indent=2).encode()}.items():
        storage.write(file_name(card.version, file), data, if_generation=ABSENT)


def promote(storage: Storage, version: str, *, reason: str) -> Current:
    """Let a version serve from now on.

    Raises:
        NoModel: the bucket does not have that version.
        BrokenModel: its card or the pointer cannot be read.
        ObjectChanged: somebody else promoted another version at the same moment.
    """
    read_card(storage, version)
    try:
        found = storage.read(CURRENT)
    except NoSuchObject:
        generation, previous = ABSENT, None
    else:
        generation, before = found.generation, _parse_current(storage, found.data)
        previous = before.previous if before.version == version else before.version
    current = Current(version=version, previous=previous, reason=reason)
    storage.write(CURRENT, current.model_dump_json(indent=2).encode(), if_generation=generation)
    return current


def rollback(storage: Storage, *, reason: str) -> Current:
    """Let the version serve again that did before; a second time undoes the first.

    Raises:
        NoModel: nothing is published, or nothing served before.
        BrokenModel: the card of that version or the pointer cannot be read.
        ObjectChanged: somebody else promoted another version at the same moment.
    """
    current = read_current(storage)
    if current.previous is None:
        raise NoModel(
            f"No version served before {current.version}. Promote another: invoke promote VERSION. "
            f"There are: {_known(storage)}."
        )
    return promote(storage, current.previous, reason=reason)
