"""What one worker does: read, decode and classify a few pictures on one CPU.

Worker processes import this module, so it must stay quick to import.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from animals import registry
from animals.concurrency import in_threads
from animals.errors import PictureError, StorageUnavailable
from animals.serving.classifier import Classifier
from animals.storage import Storage, open_storage

REMOTE: Final = "gs://"
"""How names of pictures in buckets begin."""

READ_AHEAD: Final = 8
"""Remote pictures that a worker reads at once, so that its CPU need not wait for them; of local ones two are enough.

Google's client keeps ten connections open.
"""


@dataclass(frozen=True, slots=True)
class Model:
    """Which model answers, in words that go from process to process."""

    bucket: str
    version: str
    max_pixels: int
    """Largest picture that is decoded."""


class Row(NamedTuple):
    """What was found of one picture."""

    picture: str
    probabilities: tuple[float, ...] = ()
    """In the order of the labels; none where there is a problem."""
    problem: str | None = None
    """Why it has no prediction."""


@functools.cache
def load(model: Model) -> Classifier:
    """The classifier, once in each process; it works in one thread.

    Raises:
        NoModel: the bucket does not have that version.
        BrokenModel: it cannot be used.
        StorageUnavailable: the bucket cannot be reached.
    """
    storage = open_storage(model.bucket)
    card = registry.read_card(storage, model.version)
    return Classifier(card, registry.read_file(storage, card, card.serving_file), max_pixels=model.max_pixels)


def classify_pictures(names: Sequence[str], model: Model) -> list[Row]:
    """A row for each picture, in their order.

    Raises:
        StorageUnavailable: a bucket cannot be reached.
    """
    classifier = load(model)
    ahead = READ_AHEAD if any(name.startswith(REMOTE) for name in names) else 2
    return [_classify(name, found, classifier) for name, found in in_threads(_read, names, threads=ahead)]


def _classify(name: str, found: bytes | str, classifier: Classifier) -> Row:
    if isinstance(found, str):
        return Row(printable(name), problem=found)
    try:
        probabilities = classifier.infer(classifier.decode(found).pixels[None]).probabilities[0]
    except PictureError as error:
        return Row(printable(name), problem=str(error))
    return Row(printable(name), tuple(probabilities.tolist()))


def printable(name: str) -> str:
    """A name as it can be written: not every file's name is text."""
    return name.encode(errors="backslashreplace").decode()


def _read(name: str) -> bytes | str:
    """A picture's file, or why it cannot be read."""
    try:
        if not name.startswith(REMOTE):
            return Path(name).read_bytes()
        bucket, _, item = name.removeprefix(REMOTE).partition("/")
        return _storage(f"{REMOTE}{bucket}").read(item).data
    except StorageUnavailable:  # no picture's fault
        raise
    except OSError as error:  # which a missing object is too
        return f"The file cannot be read: {error.strerror or error}."


@functools.cache
def _storage(url: str) -> Storage:
    return open_storage(url)
