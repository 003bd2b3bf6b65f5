"""Brings the published model into memory, beside the requests, and keeps trying until there is one."""

import logging
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from animals import registry
from animals.errors import AnimalsError
from animals.records import Current
from animals.serving.classifier import Classifier
from animals.storage import Storage

logger = logging.getLogger(__name__)

JOIN_SECONDS: Final = 1.0
"""How long the end of the service waits for a load in progress; a bucket that hangs must not hold it up."""


@dataclass(frozen=True, slots=True)
class Served:
    """The model that answers now, and the pointer that made it so."""

    current: Current
    classifier: Classifier


def load(storage: Storage, *, max_pixels: int, threads: int) -> Served:
    """The version that the bucket says shall serve, checked and tried.

    Raises:
        NoModel: nothing is published.
        BrokenModel: what is published cannot be served.
        StorageUnavailable: the bucket cannot be reached.
    """
    current = registry.read_current(storage)
    card = registry.read_card(storage, current.version)
    model = registry.read_file(storage, card, registry.ONNX)
    return Served(current, Classifier(card, model, max_pixels=max_pixels, threads=threads))


class Watcher:
    """A thread that loads the model; used as `with Watcher(…) as watcher`.

    Args:
        storage: the bucket.
        max_pixels: largest picture that the model decodes.
        threads: that work on one picture.
        interval: seconds between two tries.
    """

    def __init__(self, storage: Storage, *, max_pixels: int, threads: int, interval: float) -> None:
        self._storage = storage
        self._max_pixels = max_pixels
        self._threads = threads
        self._interval = interval
        self.served: Served | None = None
        """The model that answers now, if there is one."""
        self.reason = "The model is being loaded. Try again in a moment."
        """Why there is none."""
        self._stopping = threading.Event()
        # a daemon: a read that hangs must not keep the process alive
        self._thread = threading.Thread(target=self._run, name="model watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        while not self._try() and not self._stopping.wait(self._interval):
            pass

    def _try(self) -> bool:
        started = time.perf_counter()
        try:
            served = load(self._storage, max_pixels=self._max_pixels, threads=self._threads)
        except AnimalsError as error:
            self._note(str(error))
        except Exception as error:  # noqa: BLE001 - a bug in loading must not end the only thread that can load
            self._note(f"The model could not be loaded, by a mistake of this service: {error!r}", error)
        else:
            self.served = served
            version, labels = served.current.version, len(served.classifier.card.labels)
            logger.info("%s serves, with %d labels; loaded in %.2f s.", version, labels, time.perf_counter() - started)
        return self.served is not None

    def _note(self, reason: str, error: Exception | None = None) -> None:
        """Remember why there is no model, and log it unless it was the reason before too."""
        if reason != self.reason:
            self.reason = reason
            logger.warning("Not ready, trying again each %g s: %s", self._interval, reason, exc_info=error)
