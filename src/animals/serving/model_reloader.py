"""Load the promoted model in a thread of its own: at the start, and whenever another version is promoted."""

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from animals import registry
from animals.errors import AnimalsError, BrokenModel, NoModel, StorageError
from animals.records import Current
from animals.serving.metrics import Metrics, Outcome
from animals.serving.settings import BackendSettings
from animals.storage import Storage, open_storage

if TYPE_CHECKING:
    from animals.serving.classifier import Classifier

logger = logging.getLogger(__name__)

JOIN_SECONDS: Final = 1.0
"""How long shutdown waits for a load in progress; a bucket that hangs must not delay it further."""

RETRY_SECONDS: Final = 3.0
"""How long a request to the bucket is retried: the next check is a retry too, and comes without a growing pause."""

REFUSED_CHECKS: Final = 100
"""Checks after which a refused version is loaded again while none serves: its download may have been damaged."""


@dataclass(frozen=True, slots=True)
class ServedModel:
    """The model that serves, and the pointer that names it."""

    current: Current
    classifier: "Classifier"


def load(storage: Storage, current: Current, *, max_pixels: int) -> ServedModel:
    """Load and test the version that the pointer names."""
    card = registry.read_card(storage, current.version)
    model = registry.read_file(storage, card, card.serving_file)
    from animals.serving.classifier import Classifier  # import ONNX Runtime after the download has begun, not before

    return ServedModel(current, Classifier(card, model, max_pixels=max_pixels))


def make_reloader(settings: BackendSettings) -> "ModelReloader":
    """Return a reloader that has not started yet."""
    storage = open_storage(settings.bucket, retry_deadline=RETRY_SECONDS)
    return ModelReloader(storage, Metrics(), max_pixels=settings.max_pixels, interval=settings.reload_seconds)


class ModelReloader:
    """A thread that loads the promoted version, used as `with ModelReloader(…) as reloader`.

    A promoted version replaces the one that serves only after it is loaded and has passed its self-test. Otherwise it
    is refused once: its pointer's generation is remembered, and the old version keeps serving. The interval is the
    number of seconds between two checks of the pointer.
    """

    def __init__(self, storage: Storage, metrics: Metrics, *, max_pixels: int, interval: float) -> None:
        self.storage = storage
        self.metrics = metrics
        self.served: ServedModel | None = None
        self.reason = "The model is being loaded. Try again in a moment."
        """Why no model serves, or why it is not the promoted one."""
        self._max_pixels = max_pixels
        self._interval = interval
        self._generation: str | None = None  # of the pointer that was followed, or whose version was refused
        self._idle_checks = 0  # without a change while no model serves
        self._bucket_failed = False  # at the last check
        self._stopping = threading.Event()
        # a daemon: a read that hangs must not keep the process alive
        self._thread = threading.Thread(target=self._run, name="model reloader", daemon=True)

    def __enter__(self) -> Self:
        """Start loading, unless an outer `with` has done so: the command starts before the application exists."""
        if self._thread.ident is None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(JOIN_SECONDS)

    def require_model(self) -> ServedModel:
        """Return the model that serves; if there is none, the NoModel says why."""
        if self.served is None:
            raise NoModel(self.reason)
        return self.served

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._check()
            self._stopping.wait(self._interval)

    def _check(self) -> None:
        current, generation = None, self._generation
        try:
            changed = registry.read_current_if_changed(self.storage, generation)
            if changed is None:
                self._note_no_change()
                return
            current, generation = changed
            self._serve(self._load_replacement(current))
        except (NoModel, StorageError) as error:  # may be temporary: the next check tries again
            self._bucket_failed = True
            self._note_failure("unavailable", str(error))
            return
        except BrokenModel as error:
            self._note_failure("refused", str(error))
        except Exception as error:  # noqa: BLE001 - a bug in loading must not end the only thread that can load
            self._note_failure("refused", f"The model could not be loaded because of a bug: {error!r}", error)
        self._generation = generation
        if self.served is None and current and current.previous:
            self._fall_back(current, current.previous)

    def _load_replacement(self, current: Current) -> ServedModel:
        """Load the version that the pointer names, unless it serves already."""
        if self.served and self.served.current.version == current.version:
            return ServedModel(current, self.served.classifier)
        replacement = load(self.storage, current, max_pixels=self._max_pixels)
        if self.served:
            _check_labels(replacement.classifier, self.served.classifier)
        return replacement

    def _serve(self, model: ServedModel) -> None:
        self.served = model
        self.reason, self._bucket_failed = "", False
        card = model.classifier.card
        self.metrics.set_model(card.version, card.labels, card.created)
        self.metrics.reloads["served"].inc()
        logger.info("%s serves, with %d labels.", card.version, len(card.labels))

    def _fall_back(self, current: Current, previous: str) -> None:
        """Serve the previous version, as instances do that started before the broken one was promoted."""
        try:
            self._serve(load(self.storage, Current(version=previous, reason=self.reason), max_pixels=self._max_pixels))
        except StorageError as error:
            self._generation = None  # the next check tries both again
            self._note_failure("unavailable", str(error))
        except AnimalsError as error:
            self._note_failure(
                "refused", f"{self.reason} Nor can {previous}, which served before {current.version}: {error}"
            )

    def _note_no_change(self) -> None:
        if self._bucket_failed:
            self._bucket_failed = False
            logger.info("The bucket answers again.")
            if self.served:
                self.reason = ""
        elif self.served is None:
            self._idle_checks += 1
            if self._idle_checks % REFUSED_CHECKS == 0:
                self._generation = None

    def _note_failure(self, outcome: Outcome, reason: str, error: Exception | None = None) -> None:
        """Count a failure, and log it unless it is the same as before."""
        self.metrics.reloads[outcome].inc()
        if reason == self.reason:
            return
        self.reason = reason
        state = f"{self.served.current.version} keeps serving" if self.served else "Not ready"
        logger.warning("%s, next check in %g s: %s", state, self._interval, reason, exc_info=error)


def _check_labels(new: "Classifier", old: "Classifier") -> None:
    """Raise BrokenModel if the labels differ: clients rely on those that they have read."""
    if difference := new.card.differing_labels(old.card):
        raise BrokenModel(
            f"{new.card.version} has other labels than {old.card.version}, which serves ({', '.join(difference)}). "
            "A running service keeps its labels. Restart it to serve others."
        )
