"""The work of one worker: read, decode and classify a few pictures on one CPU.

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

READ_AHEAD: Final = 8
"""Remote pictures that a worker reads at once, to keep its CPU busy; two are enough for local ones.

Google's client keeps ten connections open.
"""


@dataclass(frozen=True, slots=True)
class Model:
    """A model, by what a worker process needs to load it."""

    bucket: str
    version: str
    max_pixels: int


class Row(NamedTuple):
    """The result of one picture."""

    picture: str
    probabilities: tuple[float, ...] = ()
    """In the order of the labels; empty if there is a problem."""
    problem: str | None = None


@functools.cache
def load(model: Model) -> Classifier:
    """Return the classifier, which each process loads once and which runs in one thread."""
    storage = open_storage(model.bucket)
    card = registry.read_card(storage, model.version)
    return Classifier(card, registry.read_file(storage, card, card.serving_file), max_pixels=model.max_pixels)


def classify_pictures(names: Sequence[str], model: Model) -> list[Row]:
    """Return a row for each picture, in their order; a bucket that cannot be reached is an error for all of them."""
    classifier = load(model)
    ahead = READ_AHEAD if any(name.startswith(REMOTE) for name in names) else 2
    return [_classify(name, content, classifier) for name, content in in_threads(_read, names, threads=ahead)]


def _classify(name: str, content: bytes | str, classifier: Classifier) -> Row:
    if isinstance(content, str):
        return Row(printable(name), problem=content)
    try:
        probabilities = classifier.infer(classifier.decode(content).pixels[None]).probabilities[0]
    except PictureError as error:
        return Row(printable(name), problem=str(error))
    return Row(printable(name), tuple(probabilities.tolist()))


def printable(name: str) -> str:
    """Return a name that can be encoded as UTF-8, which not every file's name can."""
    return name.encode(errors="backslashreplace").decode()


def _read(name: str) -> bytes | str:
    """Return a picture's bytes, or the reason why it cannot be read."""
    try:
        if not name.startswith(REMOTE):
            return Path(name).read_bytes()
        bucket, _, item = name.removeprefix(REMOTE).partition("/")
        return _storage(f"{REMOTE}{bucket}").read(item).data
    except StorageUnavailable:  # it concerns all pictures
        raise
    except OSError as error:  # which a missing object is too
        return f"The file cannot be read: {error.strerror or error}."


@functools.cache
def _storage(url: str) -> Storage:
    return open_storage(url)
