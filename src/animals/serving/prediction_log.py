"""The prediction log: what was asked and answered, without pictures, in batches to `predictions/` in the bucket."""

import logging
import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from animals.errors import StorageError
from animals.features import prepared_features
from animals.preprocess import InputSpec
from animals.records import LoggedPrediction, explain, now
from animals.serving.metrics import Metrics
from animals.storage import ABSENT, Storage

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 2.0
"""How long the end of the service waits for the last entries to be stored; what is not by then is lost."""

RETRY_SECONDS: Final = 0.1
"""Between two tries at the end."""

_DIGITS: Final = 6
"""Decimals that are kept: more would double a line and say nothing."""


class _Line(NamedTuple):
    """An entry as it will be stored."""

    day: str
    text: bytes


class PredictionLog:
    """Remembers answers until a thread of its own has stored them; used as `with PredictionLog(…) as predictions`.

    While the bucket is away the entries wait. When they would take too much memory, the oldest are dropped.

    Args:
        storage: the bucket.
        metrics: counts what is stored and what is lost.
        batch: entries that make an object; so many do not wait any longer.
        seconds: after which fewer are stored too.
        max_bytes: of entries in memory; 0 turns the log off.
    """

    def __init__(self, storage: Storage, metrics: Metrics, *, batch: int, seconds: float, max_bytes: int) -> None:
        self._storage = storage
        self._metrics = metrics
        self._batch = batch
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._lines: deque[_Line] = deque()
        self._bytes = 0  # of all lines that wait or are being stored
        self._changed = threading.Condition()  # guards both
        self._stopping = threading.Event()
        self._away = False
        # a daemon: a write that hangs must not keep the process alive
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(FLUSH_SECONDS)
        if self._thread.is_alive():
            logger.warning("The bucket is away: the last entries of the prediction log are lost.")

    def add(
        self,
        *,
        prediction_id: str,
        version: str,
        probabilities: dict[str, float],
        prepared: NDArray[np.float32],
        spec: InputSpec,
        size: tuple[int, int],
        projection: NDArray[np.float32] | None,
        milliseconds: float,
    ) -> None:
        """Remember one answer; never waits for the bucket, and never raises because of it.

        Args:
            prediction_id: the `id` inside the token (`tokens.Answer.id`), not the token.
            version: that answered.
            probabilities: by label.
            prepared: the model's input, shape (3, side, side); brightness, contrast and sharpness are taken from it.
            spec: that it was prepared by.
            size: width and height of the picture as it was sent, upright.
            projection: of the embedding, shape (dimensions,); None where the model has no such output.
            milliseconds: from the beginning of decoding to the answer.
        """
        if not self._max_bytes:
            return
        features = prepared_features(prepared[np.newaxis], spec.mean, spec.std)
        prediction = max(probabilities, key=probabilities.__getitem__)
        try:
            entry = LoggedPrediction(
                id=prediction_id,
                time=now(),
                version=version,
                prediction=prediction,
                confidence=round(probabilities[prediction], _DIGITS),
                probabilities={label: round(share, _DIGITS) for label, share in probabilities.items()},
                **{name: round(float(values[0]), _DIGITS) for name, values in features.items()},
                width=size[0],
                height=size[1],
                projection=() if projection is None else tuple(round(x, _DIGITS) for x in projection.tolist()),
                milliseconds=round(milliseconds, 3),
            )
        except ValidationError as error:  # a number that is none, out of a damaged model
            self._metrics.dropped(1)
            logger.warning("An answer of %s cannot be written to the prediction log: %s.", version, explain(error))
        else:
            self._append(_Line(f"{entry.time:%Y-%m-%d}", entry.model_dump_json().encode() + b"\n"))

    def _append(self, line: _Line) -> None:
        with self._changed:
            self._lines.append(line)
            self._bytes += len(line.text)
            self._trim()
            if len(self._lines) >= self._batch:
                self._changed.notify()

    def _trim(self) -> None:
        """Drop the oldest lines until the others fit."""
        before = len(self._lines)
        while self._lines and self._bytes > self._max_bytes:
            self._bytes -= len(self._lines.popleft().text)
        if dropped := before - len(self._lines):
            self._metrics.dropped(dropped)

    def _run(self) -> None:
        while not self._stopping.is_set() or self._lines:
            lines = self._wait_for_batch()
            if lines and not self._store(lines):
                self._put_back(lines)
                if self._stopping.wait(self._seconds):
                    time.sleep(RETRY_SECONDS)

    def _wait_for_batch(self) -> list[_Line]:
        """The oldest lines of one day, at most a batch of them; none after a time in which there was no answer."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._lines) >= self._batch or self._stopping.is_set(), timeout=self._seconds
            )
            lines: list[_Line] = []
            while self._lines and len(lines) < self._batch and self._lines[0].day == (lines or self._lines)[0].day:
                lines.append(self._lines.popleft())
            return lines

    def _store(self, lines: list[_Line]) -> bool:
        """Write one object; whether it is stored."""
        name = f"predictions/date={lines[0].day}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}.jsonl"
        text = b"".join(line.text for line in lines)
        try:
            self._storage.write(name, text, if_generation=ABSENT)
        except StorageError as error:
            if not self._away:
                self._away = True
                logger.warning("The prediction log waits, trying again each %g s: %s", self._seconds, error)
            return False
        except Exception:
            logger.exception("The prediction log could not be written, by a mistake of this service.")
            return False
        if self._away:
            self._away = False
            logger.info("The prediction log is written again.")
        with self._changed:
            self._bytes -= len(text)
        self._metrics.logged(len(lines))
        return True

    def _put_back(self, lines: list[_Line]) -> None:
        with self._changed:
            self._lines.extendleft(reversed(lines))
            self._trim()
