"""Feedback that was acknowledged is stored, even if the backend or the bucket is killed.

`ANIMALS_KILLS` multiplies the duration: `ANIMALS_KILLS=20 pytest tests/serving/test_feedback_durability.py`.
"""

import itertools
import os
import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from animals.monitoring.compaction import compact
from animals.monitoring.record_types import FEEDBACK
from animals.prediction_records import Feedback
from animals.serving.tokens import Tokens
from animals.storage import Storage, open_storage
from tests.support.emulator import Emulator, free_port
from tests.support.load import Load
from tests.support.process import running
from tests.support.published import KEY

SECONDS = 12 * float(os.environ.get("ANIMALS_KILLS", "1"))
"""Duration of a test: on two idle CPUs thousands of records are stored in that time."""

CLIENTS = 8
LABELS = ("red", "green", "blue")


class Backend:
    def __init__(self, folder: Path, bucket: str) -> None:
        self.port = free_port()
        self._folder = folder
        self._environment = {
            "ANIMALS_BUCKET": bucket,
            "ANIMALS_SECRET": KEY,
            "PORT": str(self.port),
            "ANIMALS_RELOAD_SECONDS": "1",
        }
        self._running = ExitStack()

    def start(self) -> None:
        process = self._running.enter_context(running(self._folder, **self._environment))
        process.wait_for("(startup complete)")
        self._process = process

    def kill(self) -> None:
        self._process.popen.kill()
        self._process.popen.wait()

    def __enter__(self) -> "Backend":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()


class Bucket:
    def __init__(self, root: Path) -> None:
        self._root = root
        self.emulator = Emulator(root)
        self.port = self.emulator.port

    def start(self) -> None:
        # A write that is interrupted, by the end of the client too, leaves a hidden file: no listing succeeds then.
        for path in self._root.rglob(".*"):
            path.unlink()
        self.emulator = Emulator(self._root, self.port)
        self.emulator.__enter__()

    def kill(self) -> None:
        self.emulator.kill()

    def __enter__(self) -> "Bucket":
        self.emulator.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.emulator.__exit__()


class People:
    """Clients that send feedback, change and repeat it, and remember what was acknowledged."""

    def __init__(self, port: int) -> None:
        self.acknowledged: dict[str, str] = {}
        """Id of a prediction, and its label that was acknowledged last."""
        self.unconfirmed: dict[str, set[str]] = {}
        """Id of a prediction, and labels that were sent after that and may be stored or not."""
        self.load = Load(self._send_feedback)
        self._url = f"http://127.0.0.1:{port}/post_data/"
        self._tokens = Tokens(KEY)

    def may_be(self, identity: str, label: str | None) -> bool:
        """Return whether a stored label is the one acknowledged last, or one sent later."""
        return label in {self.acknowledged[identity], *self.unconfirmed[identity]}

    def _send_feedback(self, client: httpx.Client, chance: random.Random) -> None:
        token = self._tokens.sign("r1", "red", {"red": 0.7, "green": 0.2, "blue": 0.1})
        for _ in range(chance.choice([1, 1, 1, 2, 3])):
            label = chance.choice(LABELS)
            while not self._is_stored(client, token, label) and chance.random() < 0.8:
                time.sleep(0.05)

    def _is_stored(self, client: httpx.Client, token: str, label: str) -> bool:
        """Send a label; return whether it was acknowledged."""
        identity = self._tokens.read(token).id
        self.unconfirmed.setdefault(identity, set()).add(label)
        try:
            response = client.post(self._url, json={"x": label, "prediction_id": token})
        except httpx.TransportError as error:
            self.load.count(type(error).__name__)
            return False
        self.load.count(str(response.status_code))
        if response.status_code == 200:
            assert response.json() == {"stored": True, "id": identity, "label": label, "picture": False}
            self.acknowledged[identity], self.unconfirmed[identity] = label, set()
            return True
        assert response.status_code == 503, response.text
        assert int(response.headers["Retry-After"]) >= 1
        return False


def lost(people: People, storage: Storage) -> list[str]:
    """Return the predictions of which another label is stored than was acknowledged last."""
    names = {name.rpartition("/")[2].removesuffix(".json"): name for name in storage.names("feedback/")}

    def label(identity: str) -> str | None:
        return Feedback.model_validate_json(storage.read(names[identity]).data).label if identity in names else None

    with ThreadPoolExecutor(8) as pool:
        labels = dict(zip(people.acknowledged, pool.map(label, people.acknowledged), strict=True))
    return [identity for identity, label in labels.items() if not people.may_be(identity, label)]


def kill_at_random(people: People, services: Sequence[Backend | Bucket], *, seed: int) -> None:
    """Kill and restart one after the other for a while, each time after feedback is stored again."""
    chance, end = random.Random(seed), time.monotonic() + SECONDS  # noqa: S311
    for number in itertools.count():
        people.load.wait_for("200", 20)
        time.sleep(2 * chance.random())
        if number >= 2 * len(services) and time.monotonic() > end:
            return
        service = services[number % len(services)]
        service.kill()
        time.sleep(0.3 * chance.random())
        service.start()


def test_nothing_is_lost_while_records_are_moved_into_tables(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "bucket"))
    with Backend(tmp_path, storage.url) as backend:
        people, end = People(backend.port), time.monotonic() + SECONDS / 3
        day, moves = datetime.now(UTC).date(), 0
        with people.load.running(CLIENTS):
            while time.monotonic() < end or moves <= 3:
                people.load.wait_for("200", 5)
                compact(storage, FEEDBACK, day)
                moves += 1
    days = {day, datetime.now(UTC).date()}  # at midnight there are two
    rows = [row for day in days for table in compact(storage, FEEDBACK, day).tables() for row in table.to_pylist()]
    labels = {row["id"]: row["label"] for row in rows}
    assert [one for one in people.acknowledged if not people.may_be(one, labels.get(one))] == []
    assert len(labels) == len(rows)


def test_a_killed_backend_loses_no_acknowledged_feedback(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    with Backend(tmp_path, str(bucket)) as backend:
        people = People(backend.port)
        with people.load.running(CLIENTS):
            kill_at_random(people, [backend], seed=1)
    assert lost(people, open_storage(str(bucket))) == []
    assert people.load.outcomes.keys() - {"200"}, "no client noticed that it was killed"


@pytest.mark.skipif(os.name == "nt", reason="the emulator keeps its objects' metadata in extended attributes")
def test_a_killed_bucket_or_backend_loses_no_acknowledged_feedback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "buckets").mkdir()
    with Bucket(tmp_path / "buckets") as bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.emulator.url)
        url = f"gs://{bucket.emulator.make_bucket()}/prefix"
        with Backend(tmp_path, url) as backend:
            people = People(backend.port)
            with people.load.running(CLIENTS):
                kill_at_random(people, [bucket, backend], seed=2)
        bucket.kill()
        bucket.start()
        assert lost(people, open_storage(url)) == []
    assert people.load.outcomes.keys() - {"200"}, "no client noticed that anything was killed"
