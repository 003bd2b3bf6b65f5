"""The prediction log: each prediction is stored or counted as lost, and no request waits for it."""

import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from animals.api import Prediction
from animals.errors import StorageUnavailable
from animals.preprocess import normalize
from animals.serving import prediction_log
from animals.serving.decoder import ModelInput
from animals.serving.metrics import Metrics
from animals.serving.prediction_log import PredictionLog
from animals.storage import FolderStorage, Storage
from tests.support.cards import INPUT, SIDE
from tests.support.hooked_storage import HookedStorage, ignore, on
from tests.support.published import until
from tests.support.records import logged


def made(storage: Storage, **changes: Any) -> tuple[PredictionLog, Metrics]:
    """A log that writes only when it is full or at its end."""
    metrics = Metrics()
    return PredictionLog(
        storage, metrics, **{"batch": 1000, "seconds": 60.0, "max_bytes": 1_000_000, **changes}
    ), metrics


def add(log: PredictionLog, identity: str, projection: tuple[float, ...] | None = (0.5, -1.25)) -> None:
    grey = np.full((SIDE, SIDE, 3), 51, np.uint8)
    prediction = Prediction(
        filename="",
        prediction="red",
        confidence=0.7,
        probabilities={"red": 0.7, "green": 0.2, "blue": 0.1},
        model_version="r1",
        prediction_id="",
    )
    projected = None if projection is None else np.array(projection, np.float32)
    log.add(identity, prediction, ModelInput(normalize(grey, INPUT), (40, 30)), INPUT, projected, 12.3456)


def ids(storage: Storage) -> list[str]:
    return [entry.id for entry in logged(storage)]


def count(metrics: Metrics, outcome: str) -> float:
    return metrics.registry.get_sample_value("animals_prediction_log_entries_total", {"outcome": outcome}) or 0.0


def fail(_: str) -> None:
    raise StorageUnavailable("It is unavailable.")


@pytest.fixture
def hanging(hooked: HookedStorage) -> Iterator[threading.Event]:
    """Lets the hooked bucket's writes hang until it is set."""
    release = threading.Event()
    hooked.hook = on("write", lambda _: until(release.is_set))
    yield release
    release.set()


def test_an_entry_says_what_was_asked_and_answered(bucket: Storage) -> None:
    assert not list(bucket.names())  # imports Google's client, for which a busy machine needs more than the log waits
    log, metrics = made(bucket)
    before = datetime.now(UTC)
    with log:
        add(log, "a")
    [entry] = logged(bucket)
    assert (entry.id, entry.version, entry.prediction, entry.confidence) == ("a", "r1", "red", 0.7)
    assert entry.probabilities == {"red": 0.7, "green": 0.2, "blue": 0.1}
    assert entry.brightness == pytest.approx(0.2, abs=1e-5)
    assert entry.contrast == entry.sharpness == pytest.approx(0, abs=1e-5)
    assert (entry.width, entry.height, entry.projection) == (40, 30, (0.5, -1.25))
    assert entry.milliseconds == 12.346
    assert abs((entry.time - before).total_seconds()) < 60
    assert (count(metrics, "written"), count(metrics, "dropped")) == (1, 0)


def test_the_objects_lie_under_the_day_of_their_entries(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    days = iter([30, 30, 31])
    monkeypatch.setattr(prediction_log, "now", lambda: datetime(2026, 12, next(days), 23, 59, tzinfo=UTC))
    with made(folder)[0] as log:
        for identity in "abc":
            add(log, identity)
    names = list(folder.names())
    assert [name.split("/")[:2] for name in names] == [["predictions", f"date=2026-12-{day}"] for day in (30, 31)]
    assert all(name.endswith(".jsonl") for name in names)
    assert [len(folder.read(name).data.splitlines()) for name in names] == [2, 1]


def test_a_full_batch_is_stored_at_once_and_the_rest_at_the_end(folder: FolderStorage) -> None:
    log, metrics = made(folder, batch=3)
    with log:
        for number in range(7):
            add(log, str(number))
        until(lambda: count(metrics, "written") == 6)
    assert sorted(ids(folder)) == [str(number) for number in range(7)]
    sizes = [len(folder.read(name).data.splitlines()) for name in folder.names()]
    assert sorted(sizes) == [1, 3, 3]


def test_a_batch_that_is_not_full_is_stored_after_a_while(folder: FolderStorage) -> None:
    with made(folder, seconds=0.05)[0] as log:
        add(log, "a")
        until(lambda: ids(folder) == ["a"])
        time.sleep(0.15)  # in which nothing is asked, and nothing stored
        add(log, "b")
        until(lambda: sorted(ids(folder)) == ["a", "b"])
    assert len(list(folder.names())) == 2


def test_while_the_bucket_is_unavailable_entries_wait_and_are_stored_later(
    hooked: HookedStorage, caplog: pytest.LogCaptureFixture
) -> None:
    hooked.hook = on("write", fail)
    log, metrics = made(hooked, batch=2, seconds=0.02)
    with caplog.at_level(logging.INFO, "animals.serving"), log:
        for number in range(9):
            add(log, str(number))
        until(lambda: len(hooked.writes) > 3)
        assert count(metrics, "written") == 0
        hooked.hook = ignore
        until(lambda: count(metrics, "written") == 9)
    assert sorted(ids(hooked)) == [str(number) for number in range(9)]
    assert [record.getMessage() for record in caplog.records] == [
        "The prediction log waits, trying again each 0.02 s: It is unavailable.",
        "The prediction log is written again.",
    ]


def test_the_oldest_are_dropped_and_counted_when_they_take_too_much_memory(hooked: HookedStorage) -> None:
    hooked.hook = on("write", fail)
    log, metrics = made(hooked, batch=2, seconds=0.02, max_bytes=2000)
    with log:
        for number in range(500):
            add(log, f"{number:03}")
        until(lambda: len(hooked.writes) > 3)
        hooked.hook = ignore
    kept = sorted(ids(hooked))
    assert 0 < len(kept) < 10
    assert kept == [f"{number:03}" for number in range(500 - len(kept), 500)]
    assert (count(metrics, "dropped"), count(metrics, "written")) == (500 - len(kept), len(kept))


def test_a_bucket_that_hangs_delays_no_prediction_and_fills_no_more_memory_than_allowed(
    hooked: HookedStorage, hanging: threading.Event
) -> None:
    log, metrics = made(hooked, batch=5, max_bytes=5000)
    with log:
        for number in range(5):
            add(log, str(number))
        until(lambda: bool(hooked.writes))
        started = time.monotonic()
        for number in range(500):
            add(log, str(number))
        assert time.monotonic() - started < 5
        assert sum(len(line.text) for line in log._lines) < 5000
        assert count(metrics, "dropped") > 400
        hanging.set()
    assert count(metrics, "written") + count(metrics, "dropped") == 505


@pytest.mark.usefixtures("hanging")
def test_shutdown_does_not_wait_for_a_bucket_that_hangs(
    hooked: HookedStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(prediction_log, "FLUSH_SECONDS", 0.1)
    with made(hooked)[0] as log:
        add(log, "a")
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert "the last entries of the prediction log are lost" in caplog.text


@pytest.mark.parametrize("error", [StorageUnavailable("It is unavailable."), ZeroDivisionError("a bug")])
def test_during_shutdown_a_failed_write_is_repeated(
    hooked: HookedStorage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    monkeypatch.setattr(prediction_log, "RETRY_SECONDS", 0.01)

    def fail_twice(_: str) -> None:
        if len(hooked.writes) <= 2:
            raise error

    hooked.hook = on("write", fail_twice)
    with made(hooked)[0] as log:
        add(log, "a")
    assert ids(hooked) == ["a"]
    assert len(hooked.writes) == 3
    assert ("because of a bug" in caplog.text) == isinstance(error, ZeroDivisionError)
    assert ("Traceback" in caplog.text) == isinstance(error, ZeroDivisionError)


def test_a_number_that_is_none_is_told_and_counted_instead_of_failing_the_answer(
    folder: FolderStorage, caplog: pytest.LogCaptureFixture
) -> None:
    log, metrics = made(folder)
    with log:
        add(log, "a", projection=(np.nan,))
        add(log, "b", projection=None)
    assert [(entry.id, entry.projection) for entry in logged(folder)] == [("b", ())]
    assert count(metrics, "dropped") == 1
    assert "A prediction of r1 cannot be written to the prediction log: projection.0" in caplog.text


def test_with_no_memory_for_it_the_log_is_off(folder: FolderStorage) -> None:
    log, metrics = made(folder, max_bytes=0)
    with log:
        add(log, "a")
    assert not list(folder.names())
    assert (count(metrics, "written"), count(metrics, "dropped")) == (0, 0)
