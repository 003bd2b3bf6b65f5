"""The prediction log: what was predicted, without pictures, in batches to `predictions/` in the bucket."""

import logging
import threading
import time
import uuid
from collections import deque
from datetime import UTC, datetime
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from animals.api import Prediction
from animals.errors import StorageError
from animals.features import prepared_features
from animals.prediction_records import LoggedPrediction
from animals.preprocess import InputSpec
from animals.records import explain, now
from animals.serving.decoder import ModelInput
from animals.serving.metrics import Metrics
from animals.storage import ABSENT, Storage

logger = logging.getLogger(__name__)

FLUSH_SECONDS: Final = 2.0
"""How long shutdown waits for the last entries to be stored; later ones are lost."""

RETRY_SECONDS: Final = 0.1
"""Time between two attempts during shutdown."""

_DIGITS: Final = 6
"""Decimals that are kept: more would double the length of a line without telling more."""


class _Line(NamedTuple):
    """An entry as it will be stored."""

    day: str
    text: bytes


class PredictionLog:
    """Buffer of entries that a thread writes to the bucket, used as `with PredictionLog(…) as log`.

    While the bucket is unavailable the entries wait. If they take too much memory, the oldest are dropped.

    Args:
        storage: the bucket.
        metrics: counts stored and lost entries.
        batch: number of entries that are stored together.
        seconds: time after which fewer are stored too.
        max_bytes: memory for entries; 0 turns the log off.
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
        self._failed = False  # the last write
        # a daemon: a write that hangs must not keep the process alive
        self._thread = threading.Thread(target=self._run, name="prediction log", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with self._changed:
            self._changed.notify()
        self._thread.join(FLUSH_SECONDS)
        if self._thread.is_alive():
            logger.warning("The bucket is unavailable: the last entries of the prediction log are lost.")

    def add(
        self,
        identity: str,
        prediction: Prediction,
        decoded: ModelInput,
        spec: InputSpec,
        projection: NDArray[np.float32] | None,
        milliseconds: float,
    ) -> None:
        """Add one prediction; never waits for the bucket, and never fails because of it.

        The identity is the `id` in the prediction's token (`tokens.TokenPayload.id`), not the token. The projection of
        the embedding has shape (dimensions,). The time is counted from the beginning of decoding.
        """
        if not self._max_bytes:
            return
        features = prepared_features(decoded.pixels[np.newaxis], spec.mean, spec.std)
        width, height = decoded.size
        try:
            entry = LoggedPrediction(
                id=identity,
                time=now(),
                version=prediction.model_version,
                prediction=prediction.prediction,
                confidence=round(prediction.confidence, _DIGITS),
                probabilities={label: round(value, _DIGITS) for label, value in prediction.probabilities.items()},
                **{name: round(float(values[0]), _DIGITS) for name, values in features.items()},
                width=width,
                height=height,
                projection=() if projection is None else tuple(round(x, _DIGITS) for x in projection.tolist()),
                milliseconds=round(milliseconds, 3),
            )
        except ValidationError as error:  # NaN or infinity from a damaged model
            self._metrics.dropped.inc()
            version, reason = prediction.model_version, explain(error)
            logger.warning("A prediction of %s cannot be written to the prediction log: %s.", version, reason)
        else:
            self._append(_Line(f"{entry.time:%Y-%m-%d}", entry.model_dump_json().encode() + b"\n"))

    def _append(self, line: _Line) -> None:
        with self._changed:
            self._lines.append(line)
            self._bytes += len(line.text)
            self._drop_oldest()
            if len(self._lines) >= self._batch:
                self._changed.notify()

    def _drop_oldest(self) -> None:
        """Drop the oldest lines until the others fit."""
        before = len(self._lines)
        while self._lines and self._bytes > self._max_bytes:
            self._bytes -= len(self._lines.popleft().text)
        if dropped := before - len(self._lines):
            self._metrics.dropped.inc(dropped)

    def _run(self) -> None:
        while not self._stopping.is_set() or self._lines:
            lines = self._wait_for_batch()
            if lines and not self._store(lines):
                self._put_back(lines)
                if self._stopping.wait(self._seconds):
                    time.sleep(RETRY_SECONDS)

    def _wait_for_batch(self) -> list[_Line]:
        """Return the oldest lines of one day, at most a batch; none if there was no prediction for a while."""
        with self._changed:
            self._changed.wait_for(
                lambda: len(self._lines) >= self._batch or self._stopping.is_set(), timeout=self._seconds
            )
            lines: list[_Line] = []
            while self._lines and len(lines) < self._batch and self._lines[0].day == (lines or self._lines)[0].day:
                lines.append(self._lines.popleft())
            return lines

    def _store(self, lines: list[_Line]) -> bool:
        """Write one object; return whether that succeeded."""
        name = f"predictions/date={lines[0].day}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:12]}.jsonl"
        text = b"".join(line.text for line in lines)
        try:
            self._storage.write(name, text, if_generation=ABSENT)
        except StorageError as error:
            if not self._failed:
                self._failed = True
                logger.warning("The prediction log waits, trying again each %g s: %s", self._seconds, error)
            return False
        except Exception:
            logger.exception("The prediction log could not be written because of a bug.")
            return False
        if self._failed:
            self._failed = False
            logger.info("The prediction log is written again.")
        with self._changed:
            self._bytes -= len(text)
        self._metrics.written.inc(len(lines))
        return True

    def _put_back(self, lines: list[_Line]) -> None:
        with self._changed:
            self._lines.extendleft(reversed(lines))
            self._drop_oldest()
