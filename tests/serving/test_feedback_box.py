"""Judgements that meet: of one answer, in one moment, before a bucket that is slow."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest

from animals.errors import Busy, ObjectChanged, StorageUnavailable
from animals.serving import feedback
from animals.serving.feedback import WRITERS, FeedbackBox, Judgement
from animals.serving.metrics import Metrics
from animals.serving.settings import BackendSettings
from animals.storage import ABSENT, FolderStorage, Storage, StoredObject
from tests.support.judging import PICTURE, TOKENS, base64_of, judge, pictures, stored, token
from tests.support.published import Started, until


class Between:
    """A bucket that remembers what is written, and with which others may meddle."""

    def __init__(self, storage: Storage) -> None:
        self.written: list[str] = []
        self.hold = threading.Event()
        """Set: writes are not held up."""
        self.hold.set()
        self.before_read: Callable[[str], None] = lambda _: None
        self.delete: Callable[..., None] = storage.delete
        self._storage = storage

    def __getattr__(self, verb: str) -> Any:
        return getattr(self._storage, verb)

    def read(self, name: str) -> StoredObject:
        self.before_read(name)
        return self._storage.read(name)

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        self.written.append(name)
        self.hold.wait(10)
        return self._storage.write(name, data, if_generation=if_generation)


@pytest.fixture
def between(bucket: Storage) -> Between:
    return Between(bucket)


def box(storage: Storage | Between) -> FeedbackBox:
    return FeedbackBox(cast(Storage, storage), TOKENS, Metrics(), max_pixels=10_000)


def said(label: str, prediction_id: str, picture: bytes | None = None) -> Judgement:
    return Judgement(x=label, prediction_id=prediction_id, picture=picture and base64_of(picture))


def test_the_picture_is_stored_before_the_record_that_names_it(between: Between) -> None:
    anyio.run(box(between).take, said("red", token(PICTURE), PICTURE))
    assert [name.rpartition(".")[2] for name in between.written] == ["jpg", "json"]


def test_a_changed_mind_replaces_what_was_said_before(bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    for label, picture in (("red", PICTURE), ("green", PICTURE), ("green", None)):
        anyio.run(box(bucket).take, said(label, prediction_id, picture))
        [record] = stored(bucket).values()
        assert (record.label, record.picture is not None) == (label, picture is not None)
    assert pictures(bucket) == []


def test_a_judgement_that_was_held_up_does_not_undo_a_later_one(between: Between, bucket: Storage) -> None:
    prediction_id = token()

    async def both() -> None:
        slow, quick = box(between), box(bucket)
        between.hold.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused, slow)
            await anyio.to_thread.run_sync(until, lambda: bool(between.written))
            await quick.take(said("green", prediction_id))
            between.hold.set()

    async def refused(slow: FeedbackBox) -> None:
        with pytest.raises(ObjectChanged, match="A later judgement of this answer is stored already"):
            await slow.take(said("red", prediction_id))

    anyio.run(both)
    [record] = stored(bucket).values()
    assert record.label == "green"


def test_who_takes_a_picture_back_takes_nobody_elses(between: Between, bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    anyio.run(box(bucket).take, said("red", prediction_id, PICTURE))
    withdrawal = said("green", prediction_id)

    def third(_: str) -> None:
        between.before_read = lambda _: None
        anyio.run(box(bucket).take, said("blue", prediction_id, PICTURE))

    between.before_read = third  # after the withdrawal came, and before it is stored
    with pytest.raises(ObjectChanged):
        anyio.run(box(between).take, withdrawal)
    [record] = stored(bucket).values()
    assert record.label == "blue"
    assert pictures(bucket) == [record.picture]


def test_a_judgement_that_comes_too_late_leaves_no_picture(between: Between, bucket: Storage) -> None:
    prediction_id = token(PICTURE)

    def quicker(name: str, data: bytes, *, if_generation: str | None = None) -> str:
        if name.endswith(".json") and not stored(bucket):
            anyio.run(box(bucket).take, said("green", prediction_id))
        return bucket.write(name, data, if_generation=if_generation)

    between.write = quicker  # type: ignore[method-assign]
    with pytest.raises(ObjectChanged):
        anyio.run(box(between).take, said("red", prediction_id, PICTURE))
    assert pictures(bucket) == []


def test_a_picture_that_could_not_be_forgotten_is_by_the_repetition(between: Between, bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    anyio.run(box(bucket).take, said("red", prediction_id, PICTURE))

    def away(_: str, **__: Any) -> None:
        raise StorageUnavailable("away")

    between.delete = away
    with pytest.raises(StorageUnavailable):
        anyio.run(box(between).take, said("red", prediction_id))
    assert len(pictures(bucket)) == 1
    anyio.run(box(bucket).take, said("red", prediction_id))
    assert pictures(bucket) == []


def test_a_record_that_is_moved_into_a_table_meanwhile_is_written_anew(between: Between, bucket: Storage) -> None:
    prediction_id = token()
    anyio.run(box(bucket).take, said("green", prediction_id))
    between.before_read = bucket.delete
    anyio.run(box(between).take, said("red", prediction_id))
    [record] = stored(bucket).values()
    assert record.label == "red"


def test_a_record_that_is_moved_just_before_it_is_replaced_is_written_anew(bucket: Storage) -> None:
    prediction_id = token()
    anyio.run(box(bucket).take, said("green", prediction_id))

    class Moving(Between):
        def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
            if if_generation != ABSENT and stored(bucket):
                bucket.delete(name)
            return super().write(name, data, if_generation=if_generation)

    anyio.run(box(Moving(bucket)).take, said("red", prediction_id))
    [record] = stored(bucket).values()
    assert record.label == "red"


def test_who_would_never_have_a_turn_is_told_so(between: Between) -> None:
    def quicker(*_: Any, **__: Any) -> str:
        raise ObjectChanged("somebody was quicker")

    between.write = quicker  # type: ignore[method-assign]
    with pytest.raises(Busy, match="judged by many at this moment"):
        anyio.run(box(between).take, said("red", token()))


def test_while_the_bucket_hangs_others_are_answered_and_too_many_are_sent_away(
    started: Started, settings: BackendSettings, folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    between = Between(folder)
    monkeypatch.setattr("animals.serving.model_reloader.open_storage", lambda *_, **__: between)
    monkeypatch.setattr(feedback, "WAIT_SECONDS", 0.2)
    with started(settings) as client, ThreadPoolExecutor(WRITERS + 2) as pool:
        between.hold.clear()
        asked = [pool.submit(judge, client, "red", token()) for _ in range(WRITERS + 2)]
        began = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        assert time.perf_counter() - began < 1
        until(lambda: sum(future.done() for future in asked) == 2)
        assert len(between.written) == WRITERS
        between.hold.set()
        answers = [future.result() for future in asked]
    assert sorted(answer.status_code for answer in answers) == [200] * WRITERS + [503] * 2
    assert [answer.headers["Retry-After"] for answer in answers if answer.status_code == 503] == ["2", "2"]
    assert len(stored(folder)) == WRITERS


def test_the_end_of_the_service_does_not_wait_for_a_bucket_that_hangs(folder: FolderStorage) -> None:
    between = Between(folder)
    between.hold.clear()

    async def end() -> None:
        with anyio.move_on_after(0.2):
            await box(between).take(said("red", token()))

    began = time.perf_counter()
    anyio.run(end)
    assert time.perf_counter() - began < 2
    between.hold.set()
