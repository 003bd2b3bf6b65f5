"""Concurrent feedback on one prediction, also while the bucket is slow."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import anyio
import anyio.to_thread
import pytest

from animals.api import FeedbackRequest
from animals.errors import Busy, ObjectChanged, StorageUnavailable
from animals.serving import feedback
from animals.serving.feedback import MAX_WRITES, FeedbackHandler
from animals.serving.feedback_store import FeedbackStore
from animals.serving.metrics import Metrics
from animals.serving.settings import BackendSettings
from animals.storage import ABSENT, FolderStorage, Storage, StoredObject
from tests.support.feedback import PICTURE, TOKENS, base64_of, pictures, send_feedback, stored, token
from tests.support.published import Started, until


class Interceptor:
    """A bucket that records writes, and lets a test act between two calls."""

    def __init__(self, storage: Storage) -> None:
        self.written: list[str] = []
        self.released = threading.Event()
        """Writes wait for it."""
        self.released.set()
        self.before_read: Callable[[str], None] = lambda _: None
        self.delete: Callable[..., None] = storage.delete
        self._storage = storage

    def __getattr__(self, method: str) -> Any:
        return getattr(self._storage, method)

    def read(self, name: str) -> StoredObject:
        self.before_read(name)
        return self._storage.read(name)

    def write(self, name: str, data: bytes, *, if_generation: str | None = None) -> str:
        self.written.append(name)
        self.released.wait(10)
        return self._storage.write(name, data, if_generation=if_generation)


@pytest.fixture
def intercepted(bucket: Storage) -> Interceptor:
    return Interceptor(bucket)


async def submit(storage: Storage | Interceptor, label: str, prediction_id: str, picture: bytes | None = None) -> None:
    store = FeedbackStore(cast(Storage, storage), Metrics())
    request = FeedbackRequest(x=label, prediction_id=prediction_id, picture=picture and base64_of(picture))
    await FeedbackHandler(store, TOKENS, max_pixels=10_000).submit(request)


def store(storage: Storage | Interceptor, label: str, prediction_id: str, picture: bytes | None = None) -> None:
    anyio.run(submit, storage, label, prediction_id, picture)


def test_the_picture_is_stored_before_the_record_that_names_it(intercepted: Interceptor) -> None:
    store(intercepted, "red", token(PICTURE), PICTURE)
    assert [name.rpartition(".")[2] for name in intercepted.written] == ["jpg", "json"]


def test_later_feedback_replaces_the_record_and_its_picture(bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    for label, picture in (("red", PICTURE), ("green", PICTURE), ("green", None)):
        store(bucket, label, prediction_id, picture)
        [record] = stored(bucket).values()
        assert (record.label, record.picture is not None) == (label, picture is not None)
    assert pictures(bucket) == []


def test_a_delayed_write_does_not_undo_a_later_one(intercepted: Interceptor, bucket: Storage) -> None:
    prediction_id = token()

    async def refused() -> None:
        with pytest.raises(ObjectChanged, match="Later feedback on this prediction is stored already"):
            await submit(intercepted, "red", prediction_id)

    async def both() -> None:
        intercepted.released.clear()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused)
            await anyio.to_thread.run_sync(until, lambda: bool(intercepted.written))
            await submit(bucket, "green", prediction_id)
            intercepted.released.set()

    anyio.run(both)
    [record] = stored(bucket).values()
    assert record.label == "green"


def test_a_withdrawal_does_not_delete_the_picture_of_later_feedback(intercepted: Interceptor, bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    store(bucket, "red", prediction_id, PICTURE)

    def send_third(_: str) -> None:
        intercepted.before_read = lambda _: None
        store(bucket, "blue", prediction_id, PICTURE)

    intercepted.before_read = send_third  # after the withdrawal arrived, and before it is stored
    with pytest.raises(ObjectChanged):
        store(intercepted, "green", prediction_id)
    [record] = stored(bucket).values()
    assert record.label == "blue"
    assert pictures(bucket) == [record.picture]


def test_a_conflict_leaves_no_picture(intercepted: Interceptor, bucket: Storage) -> None:
    prediction_id = token(PICTURE)

    def write_second(name: str, data: bytes, *, if_generation: str | None = None) -> str:
        if name.endswith(".json") and not stored(bucket):
            store(bucket, "green", prediction_id)
        return bucket.write(name, data, if_generation=if_generation)

    intercepted.write = write_second  # type: ignore[method-assign]
    with pytest.raises(ObjectChanged):
        store(intercepted, "red", prediction_id, PICTURE)
    assert pictures(bucket) == []


def test_a_repetition_deletes_a_picture_that_could_not_be_deleted(intercepted: Interceptor, bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    store(bucket, "red", prediction_id, PICTURE)

    def fail(_: str, **__: Any) -> None:
        raise StorageUnavailable("unavailable")

    intercepted.delete = fail
    with pytest.raises(StorageUnavailable):
        store(intercepted, "red", prediction_id)
    assert len(pictures(bucket)) == 1
    store(bucket, "red", prediction_id)
    assert pictures(bucket) == []


@pytest.mark.parametrize("moved_before", ["read", "write"])
def test_a_record_that_is_moved_into_a_table_meanwhile_is_written_again(
    intercepted: Interceptor, bucket: Storage, moved_before: str
) -> None:
    prediction_id = token()
    store(bucket, "green", prediction_id)

    def write_after_move(name: str, data: bytes, *, if_generation: str | None = None) -> str:
        if if_generation != ABSENT and stored(bucket):
            bucket.delete(name)
        return bucket.write(name, data, if_generation=if_generation)

    if moved_before == "read":
        intercepted.before_read = bucket.delete
    else:
        intercepted.write = write_after_move  # type: ignore[method-assign]
    store(intercepted, "red", prediction_id)
    [record] = stored(bucket).values()
    assert record.label == "red"


def test_a_write_that_others_always_precede_is_rejected(intercepted: Interceptor) -> None:
    def fail(*_: Any, **__: Any) -> str:
        raise ObjectChanged("others were quicker")

    intercepted.write = fail  # type: ignore[method-assign]
    with pytest.raises(Busy, match="Others send feedback on this prediction"):
        store(intercepted, "red", token())


def test_while_the_bucket_hangs_other_requests_are_answered_and_too_much_feedback_is_rejected(
    started: Started, settings: BackendSettings, folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging = Interceptor(folder)
    monkeypatch.setattr("animals.serving.model_reloader.open_storage", lambda *_, **__: hanging)
    monkeypatch.setattr(feedback, "WAIT_SECONDS", 0.2)
    with started(settings) as client, ThreadPoolExecutor(MAX_WRITES + 2) as pool:
        hanging.released.clear()
        requests = [pool.submit(send_feedback, client, "red", token()) for _ in range(MAX_WRITES + 2)]
        began = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        assert time.perf_counter() - began < 1
        until(lambda: sum(request.done() for request in requests) == 2)
        assert len(hanging.written) == MAX_WRITES
        hanging.released.set()
        responses = [request.result() for request in requests]
    assert sorted(response.status_code for response in responses) == [200] * MAX_WRITES + [503] * 2
    assert [response.headers["Retry-After"] for response in responses if response.status_code == 503] == ["2", "2"]
    assert len(stored(folder)) == MAX_WRITES


def test_shutdown_does_not_wait_for_a_bucket_that_hangs(folder: FolderStorage) -> None:
    hanging = Interceptor(folder)
    hanging.released.clear()

    async def submit_and_stop() -> None:
        with anyio.move_on_after(0.2):
            await submit(hanging, "red", token())

    began = time.perf_counter()
    anyio.run(submit_and_stop)
    assert time.perf_counter() - began < 2
    hanging.released.set()
