"""Whatever is killed while people judge, each judgement that was said to be stored is stored.

`ANIMALS_KILLS` multiplies how long it goes on: `ANIMALS_KILLS=20 pytest tests/serving/test_feedback_durability.py`.
"""

import itertools
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import httpx
import pytest

from animals.monitoring.compaction import compact
from animals.monitoring.record_types import FEEDBACK
from animals.records import Feedback
from animals.serving.tokens import Tokens
from animals.storage import Storage, open_storage
from tests.support.emulator import Emulator, free_port
from tests.support.process import running
from tests.support.published import KEY

SECONDS = 12 * float(os.environ.get("ANIMALS_KILLS", "1"))
"""For which it goes on: on two CPUs at rest thousands of judgements are stored in that time."""

PEOPLE = 8
LABELS = ("red", "green", "blue")


class Mortal(Protocol):
    """What can be killed, and started again at the same place."""

    def start(self) -> None: ...

    def kill(self) -> None: ...


class Backend:
    """The service, at one port."""

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
    """The emulator, at one port."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.emulator = Emulator(root)
        self.port = self.emulator.port

    def start(self) -> None:
        # what it was writing when it was killed lies hidden beside its objects, and no list could be had any more
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
    """Who judge one answer after the other, change their minds, say things twice, and remember what they were told."""

    def __init__(self, port: int) -> None:
        self.told: dict[str, str] = {}
        """Id -> label that was said to be stored last."""
        self.since: dict[str, set[str]] = {}
        """Id -> labels that were sent after that, of which nothing is known."""
        self.outcomes: Counter[str] = Counter()
        self._url = f"http://127.0.0.1:{port}/post_data/"
        self._tokens = Tokens(KEY)
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def judging(self) -> Iterator[None]:
        with ThreadPoolExecutor(PEOPLE) as pool:
            people = [pool.submit(self._judge_on, random.Random(number)) for number in range(PEOPLE)]  # noqa: S311
            try:
                yield
            finally:
                self._stop.set()
        for person in people:
            person.result()

    def wait_for(self, more: int) -> None:
        """Until so many more have been told that theirs is stored."""
        enough, deadline = len(self.told) + more, time.monotonic() + 30
        while len(self.told) < enough:
            assert time.monotonic() < deadline, self.outcomes
            time.sleep(0.002)

    def _judge_on(self, chance: random.Random) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                token = self._tokens.sign("r1", "red", {"red": 0.7, "green": 0.2, "blue": 0.1})
                identity = self._tokens.read(token).id
                for _ in range(chance.choice([1, 1, 1, 2, 3])):
                    label = chance.choice(LABELS)
                    while not self._say(client, token, identity, label) and chance.random() < 0.8:
                        time.sleep(0.05)

    def _say(self, client: httpx.Client, token: str, identity: str, label: str) -> bool:
        """Whether it is stored, as far as one is told."""
        self.since.setdefault(identity, set()).add(label)
        try:
            answer = client.post(self._url, json={"x": label, "prediction_id": token})
        except httpx.TransportError as error:
            outcome = type(error).__name__
        else:
            outcome = str(answer.status_code)
            if answer.status_code == 200:
                assert answer.json() == {"stored": True, "id": identity, "label": label, "picture": False}
                self.told[identity], self.since[identity] = label, set()
            else:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) >= 1
        with self._lock:
            self.outcomes[outcome] += 1
        return outcome == "200"


def lost(people: People, storage: Storage) -> list[str]:
    """ModelOutput of which something else is stored than was said last."""
    names = {name.rpartition("/")[2].removesuffix(".json"): name for name in storage.names("feedback/")}

    def is_right(identity: str) -> bool:
        if identity not in names:
            return False
        record = Feedback.model_validate_json(storage.read(names[identity]).data)
        return record.id == identity and record.label in {people.told[identity], *people.since[identity]}

    with ThreadPoolExecutor(8) as pool:
        kept = dict(zip(people.told, pool.map(is_right, people.told), strict=True))
    return [identity for identity, right in kept.items() if not right]


def kill_at_random(people: People, mortals: list[Mortal], *, seed: int) -> None:
    """One after the other for a while, each time when judgements are stored again."""
    chance, end = random.Random(seed), time.monotonic() + SECONDS  # noqa: S311
    for number in itertools.count():
        people.wait_for(20)
        time.sleep(2 * chance.random())
        if number >= 2 * len(mortals) and time.monotonic() > end:
            return
        mortal = mortals[number % len(mortals)]
        mortal.kill()
        time.sleep(0.3 * chance.random())
        mortal.start()


def test_nothing_is_lost_while_records_are_moved_into_tables(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "bucket"))
    with Backend(tmp_path, storage.url) as backend:
        people, end = People(backend.port), time.monotonic() + SECONDS / 3
        day, moves = datetime.now(UTC).date(), 0
        with people.judging():
            while time.monotonic() < end:
                people.wait_for(5)
                compact(storage, FEEDBACK, day)
                moves += 1
    assert moves > 3
    days = {day, datetime.now(UTC).date()}  # at midnight there are two
    rows = [row for day in days for table in compact(storage, FEEDBACK, day).tables() for row in table.to_pylist()]
    found = {row["id"]: row["label"] for row in rows}
    assert [one for one, label in people.told.items() if found.get(one) not in {label, *people.since[one]}] == []
    assert len(found) == len(rows)


def test_a_killed_backend_loses_nothing_that_it_said_to_be_stored(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    with Backend(tmp_path, str(bucket)) as backend:
        people = People(backend.port)
        with people.judging():
            kill_at_random(people, [backend], seed=1)
    assert lost(people, open_storage(str(bucket))) == []
    assert people.outcomes.keys() - {"200"}, "nobody noticed that it was killed"


@pytest.mark.skipif(os.name == "nt", reason="the emulator keeps its objects' metadata in extended attributes")
def test_a_killed_bucket_or_backend_loses_nothing_that_was_said_to_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "buckets").mkdir()
    with Bucket(tmp_path / "buckets") as bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.emulator.url)
        url = f"gs://{bucket.emulator.make_bucket()}/prefix"
        with Backend(tmp_path, url) as backend:
            people = People(backend.port)
            with people.judging():
                kill_at_random(people, [bucket, backend], seed=2)
        assert lost(people, open_storage(url)) == []
    assert people.outcomes.keys() - {"200"}, "nobody noticed that anything was killed"
