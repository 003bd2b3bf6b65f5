"""The real service, in its own process: what it logs, counts and remembers while its bucket comes and goes."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from animals.serving.tokens import Tokens
from animals.storage import FolderStorage, GcsStorage, Storage
from tests.support.emulator import Emulator
from tests.support.http import Proxy, Request, Response
from tests.support.metrics import samples, value
from tests.support.process import Process, running
from tests.support.published import KEY, plain, publish
from tests.support.records import logged

TRACE = "0af7651916cd43dd8448eb211c80319c"


@contextmanager
def serving(tmp_path: Path, storage: Storage, **environment: str) -> Iterator[Process]:
    publish(storage)
    settings = {"ANIMALS_BUCKET": storage.url, "ANIMALS_SECRET": KEY, "K_SERVICE": "backend"}
    with running(tmp_path, **settings, ANIMALS_HOST="127.0.0.1", **environment) as process:
        process.wait_until_ready()
        yield process


def classify(process: Process, pictures: int) -> list[dict[str, Any]]:
    """Classify this number of pictures, several at once."""
    url, picture = f"{process.url}/classify/", plain("lime")
    headers = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "User-Agent": "secret"}

    def ask(number: int) -> dict[str, Any]:
        answer = client.post(url, files={"file": (f"secret {number}.png", picture)})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    with httpx.Client(headers=headers) as client, ThreadPoolExecutor(2) as pool:
        return list(pool.map(ask, range(pictures)))


def identity(answer: dict[str, Any]) -> str:
    return Tokens(KEY).read(answer["prediction_id"]).id


def entries(process: Process, outcome: str) -> float:
    found = samples(httpx.get(f"{process.url}/metrics").text)
    return value(found, "animals_prediction_log_entries_total", outcome=outcome)


def wait_for(process: Process, reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline, process.log
        time.sleep(0.05)


def test_every_answer_is_logged_by_the_end_of_the_process(bucket: Storage, tmp_path: Path) -> None:
    with serving(tmp_path, bucket, ANIMALS_PREDICTIONS_BATCH="40") as process:
        answers = classify(process, 100)
        assert process.end() == 0
    found = {entry.id: entry for entry in logged(bucket)}
    assert set(found) == {identity(answer) for answer in answers}
    assert len(logged(bucket)) == 100
    assert "secret" not in str(logged(bucket))
    for answer in answers:
        entry = found[identity(answer)]
        assert entry.probabilities == pytest.approx(answer["probabilities"], abs=1e-6)
    lines = [json.loads(line) for line in process.log.splitlines()]
    requests = [line for line in lines if line.get("httpRequest", {}).get("requestUrl") == "/classify"]
    assert len(requests) == 100
    assert {line["logging.googleapis.com/trace"] for line in requests} == {TRACE}
    assert "secret" not in process.log
    assert {line["severity"] for line in lines} <= {"INFO", "WARNING"}


@contextmanager
def away_folder(tmp_path: Path) -> Iterator[tuple[Storage, Callable[[bool], None], dict[str, str]]]:
    """A bucket in which nothing can be written to `predictions/` while a file is in its place."""
    storage = FolderStorage(tmp_path / "bucket")
    place, elsewhere = storage.root / "predictions", storage.root / "elsewhere"

    def away(wanted: bool) -> None:
        if wanted:
            place.replace(elsewhere)
            place.touch()
        else:
            place.unlink()
            elsewhere.replace(place)

    yield storage, away, {}


@contextmanager
def away_gcs(emulator: Emulator) -> Iterator[tuple[Storage, Callable[[bool], None], dict[str, str]]]:
    """A bucket of the emulator behind a proxy that refuses to write."""
    refusing = threading.Event()

    def instead(request: Request) -> Response | None:
        return Response(403, b"no") if request.method == "POST" and refusing.is_set() else None

    storage = GcsStorage(emulator.make_bucket(), "some/prefix", retry_deadline=2.0)
    with Proxy(emulator.port, instead=instead) as proxy:
        yield (
            storage,
            lambda wanted: refusing.set() if wanted else refusing.clear(),
            {"STORAGE_EMULATOR_HOST": proxy.url},
        )


@pytest.mark.parametrize("kind", ["folder", "gcs"])
def test_while_the_bucket_is_away_answers_are_quick_and_losses_counted_and_then_it_is_written_again(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, emulator: Emulator
) -> None:
    if kind == "gcs":
        request.getfixturevalue("gcs_url")  # the test's own client goes to the emulator
    with away_folder(tmp_path) if kind == "folder" else away_gcs(emulator) as (storage, away, environment):
        settings = {"BATCH": "10", "SECONDS": "0.2", "BYTES": "20000"}
        environment |= {f"ANIMALS_PREDICTIONS_{name}": setting for name, setting in settings.items()}
        with serving(tmp_path, storage, **environment) as process:
            started = time.monotonic()
            before = classify(process, 30)  # which fit into the memory for them
            usual = time.monotonic() - started
            wait_for(process, lambda: entries(process, "written") == 30)
            away(True)
            started = time.monotonic()
            during = classify(process, 100)
            assert time.monotonic() - started < 10 * usual + 1
            dropped = entries(process, "dropped")
            assert 20 < dropped < 90
            assert entries(process, "written") == 30
            away(False)
            wait_for(process, lambda: entries(process, "written") == 130 - dropped)
            after = classify(process, 5)
            assert process.end() == 0
        stored = [entry.id for entry in logged(storage)]
        assert len(stored) == len(set(stored)) == 135 - dropped
        kept = [identity(answer) in stored for answer in during]
        assert {identity(answer) for answer in [*before, *after]} < set(stored)
        assert sum(kept) == 100 - dropped
        # the oldest went, but for a batch that was being sent; two clients may come in another order
        newest = max(10, sum(kept) - 12)
        assert all(kept[-newest:])
        assert "The prediction log waits" in process.log
        assert "The prediction log is written again" in process.log


def test_the_end_is_in_time_although_the_bucket_is_away(tmp_path: Path) -> None:
    with away_folder(tmp_path) as (storage, away, environment), serving(tmp_path, storage, **environment) as process:
        (tmp_path / "bucket" / "predictions").mkdir()
        away(True)
        classify(process, 3)
        started = time.monotonic()
        assert process.end() == 0
        assert time.monotonic() - started < 6
        assert "the last entries of the prediction log are lost" in process.log
