"""Brings the promoted model into memory, beside the requests: at the start, and whenever another is promoted."""

import logging
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from animals import registry
from animals.config.settings import ServiceSettings
from animals.errors import AnimalsError, BrokenModel, NoModel, StorageError
from animals.records import Current
from animals.serving.metrics import Metrics, Outcome
from animals.storage import Storage, open_storage

if TYPE_CHECKING:
    from animals.serving.classifier import Classifier

logger = logging.getLogger(__name__)

JOIN_SECONDS: Final = 1.0
"""How long the end of the service waits for a load in progress; a bucket that hangs must not hold it up."""

RETRY_SECONDS: Final = 3.0
"""How long a request to the bucket is repeated: the next look is a repetition too, without a growing pause."""

REFUSED_LOOKS: Final = 100
"""Looks after which a refused version is tried again while nothing serves: it may have been damaged on its way."""


@dataclass(frozen=True, slots=True)
class Served:
    """The model that answers now, and the pointer that made it so."""

    current: Current
    classifier: "Classifier"


def load(storage: Storage, current: Current, *, max_pixels: int) -> Served:
    """The version that the bucket says shall serve, checked and tried.

    Raises:
        NoModel: the version is not there.
        BrokenModel: it cannot be served.
        StorageUnavailable: the bucket cannot be reached.
    """
    card = registry.read_card(storage, current.version)
    model = registry.read_file(storage, card, card.serving_file)
    from animals.serving.classifier import Classifier  # ONNX Runtime is imported while the model comes, not before

    return Served(current, Classifier(card, model, max_pixels=max_pixels))


def make_watcher(settings: ServiceSettings) -> "Watcher":
    """What brings the model of these settings into memory; it has not begun.

    Raises:
        ConfigError: the bucket cannot be one.
    """
    storage = open_storage(settings.bucket, retry_deadline=RETRY_SECONDS)
    return Watcher(storage, Metrics(), max_pixels=settings.max_pixels, interval=settings.reload_seconds)


class Watcher:
    """A thread that loads what is promoted; used as `with Watcher(…) as watcher`.

    What is promoted replaces what serves only when it has been loaded whole and has answered its self-test. Else it
    is refused, once: the pointer's generation is remembered, and what serves goes on.

    Args:
        storage: the bucket.
        metrics: counts what was loaded and what refused.
        max_pixels: largest picture that the model decodes.
        interval: seconds between two looks at the pointer.
    """

    def __init__(self, storage: Storage, metrics: Metrics, *, max_pixels: int, interval: float) -> None:
        self.storage = storage
        self.metrics = metrics
        self.served: Served | None = None
        """The model that answers now, if there is one."""
        self.reason = "The model is being loaded. Try again in a moment."
        """Why there is none, or why it is not the promoted one."""
        self._max_pixels = max_pixels
        self._interval = interval
        self._generation: str | None = None  # of the pointer that was followed, or whose version was refused
        self._looks = 0  # since when nothing serves
        self._away = False  # the bucket, at the last look
        self._stopping = threading.Event()
        # a daemon: a read that hangs must not keep the process alive
        self._thread = threading.Thread(target=self._run, name="model watcher", daemon=True)

    def start(self) -> None:
        """Begin to load; `with` does so too, if it was not done yet."""
        if self._thread.ident is None:
            self._thread.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(JOIN_SECONDS)

    def serving(self) -> Served:
        """The model that answers now.

        Raises:
            NoModel: there is none; the message says why.
        """
        if self.served is None:
            raise NoModel(self.reason)
        return self.served

    @property
    def seconds(self) -> float:
        """That one inference takes at the least."""
        return self.served.classifier.seconds if self.served else 0.0

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._look()
            self._stopping.wait(self._interval)

    def _look(self) -> None:
        current, generation = None, self._generation
        try:
            found = registry.read_current_if_changed(self.storage, generation)
            if found is None:
                self._nothing_new()
                return
            current, generation = found
            self._serve(self._replacement(current))
        except (NoModel, StorageError) as error:  # which may pass: tried again at the next look
            self._away = True
            self._note("unavailable", str(error))
            return
        except BrokenModel as error:
            self._note("refused", str(error))
        except Exception as error:  # noqa: BLE001 - a bug in loading must not end the only thread that can load
            self._note("refused", f"The model could not be loaded, by a mistake of this service: {error!r}", error)
        self._generation = generation
        if self.served is None and current and current.previous:
            self._fall_back(current, current.previous)

    def _replacement(self, current: Current) -> Served:
        """The version that the pointer names, loaded; what serves already is not loaded again.

        Raises:
            NoModel: it is not there.
            BrokenModel: it cannot be served, or not instead of the one that serves.
            StorageUnavailable: the bucket cannot be reached.
        """
        if self.served and self.served.current.version == current.version:
            return Served(current, self.served.classifier)
        served = load(self.storage, current, max_pixels=self._max_pixels)
        if self.served:
            _check_labels(served.classifier, self.served.classifier)
        return served

    def _serve(self, served: Served) -> None:
        self.served = served
        self.reason, self._away = "", False
        card = served.classifier.card
        self.metrics.serves(card.version, card.labels, card.created)
        self.metrics.reloaded("served")
        logger.info("%s serves, with %d labels.", card.version, len(card.labels))

    def _fall_back(self, current: Current, previous: str) -> None:
        """An instance that starts while a broken version is promoted serves what the others still serve."""
        try:
            self._serve(load(self.storage, Current(version=previous, reason=self.reason), max_pixels=self._max_pixels))
        except StorageError as error:
            self._generation = None  # both are tried again at the next look
            self._note("unavailable", str(error))
        except AnimalsError as error:
            self._note("refused", f"{self.reason} Nor can {previous}, which served before {current.version}: {error}")

    def _nothing_new(self) -> None:
        if self._away:
            self._away = False
            logger.info("The bucket answers again.")
            if self.served:
                self.reason = ""
        elif self.served is None:
            self._looks += 1
            if self._looks % REFUSED_LOOKS == 0:
                self._generation = None

    def _note(self, outcome: Outcome, reason: str, error: Exception | None = None) -> None:
        """Count and remember what went wrong, and log it unless it was the same before."""
        self.metrics.reloaded(outcome)
        if reason == self.reason:
            return
        self.reason = reason
        state = f"{self.served.current.version} serves on" if self.served else "Not ready"
        logger.warning("%s, looking again each %g s: %s", state, self._interval, reason, exc_info=error)


def _check_labels(new: "Classifier", old: "Classifier") -> None:
    """Clients were told which labels there are.

    Raises:
        BrokenModel: the new version has others.
    """
    if other := new.card.differing_labels(old.card):
        raise BrokenModel(
            f"{new.card.version} has other labels than {old.card.version}, which serves ({', '.join(other)}). "
            "A running service does not change what it answers: start it anew if that is wanted."
        )
