"""Concurrent feedback on one prediction, also while the bucket is slow."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

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
from animals.storage import FolderStorage, Storage
from tests.support.feedback import PICTURE, TOKENS, base64_of, pictures, send_feedback, stored, token
from tests.support.hooked_storage import HookedStorage, ignore, on
from tests.support.published import Started, until


@pytest.fixture
def hooked(bucket: Storage) -> HookedStorage:
    return HookedStorage(bucket)


async def submit(storage: Storage, label: str, prediction_id: str, picture: bytes | None = None) -> None:
    store = FeedbackStore(storage, Metrics())
    request = FeedbackRequest(x=label, prediction_id=prediction_id, picture=picture and base64_of(picture))
    await FeedbackHandler(store, TOKENS, max_pixels=10_000).submit(request)


def store(storage: Storage, label: str, prediction_id: str, picture: bytes | None = None) -> None:
    anyio.run(submit, storage, label, prediction_id, picture)


def test_the_picture_is_stored_before_the_record_that_names_it(hooked: HookedStorage) -> None:
    store(hooked, "red", token(PICTURE), PICTURE)
    assert [name.rpartition(".")[2] for name in hooked.writes] == ["jpg", "json"]


def test_later_feedback_replaces_the_record_and_its_picture(bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    for label, picture in (("red", PICTURE), ("green", PICTURE), ("green", None)):
        store(bucket, label, prediction_id, picture)
        [record] = stored(bucket).values()
        assert (record.label, record.picture is not None) == (label, picture is not None)
    assert pictures(bucket) == []


def test_a_delayed_write_does_not_undo_a_later_one(hooked: HookedStorage, bucket: Storage) -> None:
    prediction_id = token()

    async def refused() -> None:
        with pytest.raises(ObjectChanged, match="Later feedback on this prediction is stored already"):
            await submit(hooked, "red", prediction_id)

    async def both() -> None:
        hooked.hook = on("write", lambda _: until(lambda: bool(stored(bucket))))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refused)
            await anyio.to_thread.run_sync(until, lambda: bool(hooked.writes))
            await submit(bucket, "green", prediction_id)

    anyio.run(both)
    [record] = stored(bucket).values()
    assert record.label == "green"


def test_a_withdrawal_does_not_delete_the_picture_of_later_feedback(hooked: HookedStorage, bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    store(bucket, "red", prediction_id, PICTURE)

    def send_third(_: str) -> None:
        hooked.hook = ignore
        store(bucket, "blue", prediction_id, PICTURE)

    hooked.hook = on("read", send_third)  # after the withdrawal arrived, and before it is stored
    with pytest.raises(ObjectChanged):
        store(hooked, "green", prediction_id)
    [record] = stored(bucket).values()
    assert record.label == "blue"
    assert pictures(bucket) == [record.picture]


def test_a_conflict_leaves_no_picture(hooked: HookedStorage, bucket: Storage) -> None:
    prediction_id = token(PICTURE)

    def send_second(name: str) -> None:
        if name.endswith(".json") and not stored(bucket):
            store(bucket, "green", prediction_id)

    hooked.hook = on("write", send_second)
    with pytest.raises(ObjectChanged):
        store(hooked, "red", prediction_id, PICTURE)
    assert pictures(bucket) == []


def test_a_repetition_deletes_a_picture_that_could_not_be_deleted(hooked: HookedStorage, bucket: Storage) -> None:
    prediction_id = token(PICTURE)
    store(bucket, "red", prediction_id, PICTURE)

    def fail(_: str) -> None:
        raise StorageUnavailable("unavailable")

    hooked.hook = on("delete", fail)
    with pytest.raises(StorageUnavailable):
        store(hooked, "red", prediction_id)
    assert len(pictures(bucket)) == 1
    store(bucket, "red", prediction_id)
    assert pictures(bucket) == []


@pytest.mark.parametrize("moved_before", ["read", "write"])
def test_a_record_that_is_moved_into_a_table_meanwhile_is_written_again(
    hooked: HookedStorage, bucket: Storage, moved_before: str
) -> None:
    prediction_id = token()
    store(bucket, "green", prediction_id)

    def move_before_second_write(name: str) -> None:
        if len(hooked.writes) == 2:
            bucket.delete(name)

    if moved_before == "read":
        hooked.hook = on("read", bucket.delete)
    else:
        hooked.hook = on("write", move_before_second_write)
    store(hooked, "red", prediction_id)
    [record] = stored(bucket).values()
    assert record.label == "red"


def test_a_write_that_others_always_precede_is_rejected(hooked: HookedStorage) -> None:
    def fail(_: str) -> None:
        raise ObjectChanged("others were quicker")

    hooked.hook = on("write", fail)
    with pytest.raises(Busy, match="Others send feedback on this prediction"):
        store(hooked, "red", token())


def test_while_the_bucket_hangs_other_requests_are_answered_and_too_much_feedback_is_rejected(
    started: Started, settings: BackendSettings, folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    hanging, release = HookedStorage(folder), threading.Event()
    monkeypatch.setattr("animals.serving.model_reloader.open_storage", lambda *_, **__: hanging)
    monkeypatch.setattr(feedback, "WAIT_SECONDS", 0.2)
    with started(settings) as client, ThreadPoolExecutor(MAX_WRITES + 2) as pool:
        hanging.hook = on("write", lambda _: until(release.is_set))
        requests = [pool.submit(send_feedback, client, "red", token()) for _ in range(MAX_WRITES + 2)]
        began = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        assert time.perf_counter() - began < 1
        until(lambda: sum(request.done() for request in requests) == 2)
        assert len(hanging.writes) == MAX_WRITES
        release.set()
        responses = [request.result() for request in requests]
    assert sorted(response.status_code for response in responses) == [200] * MAX_WRITES + [503] * 2
    assert [response.headers["Retry-After"] for response in responses if response.status_code == 503] == ["2", "2"]
    assert len(stored(folder)) == MAX_WRITES


def test_shutdown_does_not_wait_for_a_bucket_that_hangs(folder: FolderStorage) -> None:
    hanging, release = HookedStorage(folder), threading.Event()
    hanging.hook = on("write", lambda _: until(release.is_set))

    async def submit_and_stop() -> None:
        with anyio.move_on_after(0.2):
            await submit(hanging, "red", token())

    began = time.perf_counter()
    anyio.run(submit_and_stop)
    assert time.perf_counter() - began < 2
    release.set()
