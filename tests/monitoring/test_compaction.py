"""Compaction moves records into one Parquet file a day, and loses none of them."""

import json
import multiprocessing
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from animals.errors import BrokenRecords, Busy, StorageUnavailable
from animals.monitoring import compaction
from animals.monitoring.compaction import compact
from animals.monitoring.record_types import FEEDBACK, PREDICTIONS
from animals.monitoring.tables import to_parquet
from animals.prediction_records import Feedback
from animals.storage import FolderStorage, Storage
from tests.support.hooked_storage import Hook, HookedStorage
from tests.support.records import NOON, TODAY, make_feedback, make_prediction, put_feedback, put_predictions

PARQUET = f"compacted/feedback/date={TODAY}.parquet"
DAY = f"feedback/date={TODAY}/"


def labels(storage: Storage) -> dict[str, str]:
    tables = [table.select(["id", "label"]) for table in compact(storage, FEEDBACK, TODAY).tables()]
    return {row["id"]: row["label"] for table in tables for row in table.to_pylist()}


def all_ant(*ids: str) -> dict[str, str]:
    return dict.fromkeys(sorted(ids), "ant")


def test_records_are_moved_into_one_file(bucket: Storage) -> None:
    records = [
        make_feedback("b", picture="feedback/pictures/date=2026-11-24/b.jpg"),
        make_feedback("a", "bee"),
        make_feedback("c"),
    ]
    put_feedback(bucket, *records)

    [table] = compact(bucket, FEEDBACK, TODAY).tables()

    assert list(bucket.names()) == [PARQUET]
    rows = [{**row, "probabilities": dict(row["probabilities"])} for row in table.to_pylist()]
    assert [Feedback.model_validate(row) for row in rows] == sorted(records, key=lambda record: record.id)


def test_a_second_compaction_changes_nothing(bucket: Storage) -> None:
    put_feedback(bucket, make_feedback("a"))
    first = compact(bucket, FEEDBACK, TODAY)
    generation = bucket.read(PARQUET).generation

    assert compact(bucket, FEEDBACK, TODAY).parquet == first.parquet
    assert bucket.read(PARQUET).generation == generation


def test_a_day_without_records_has_no_file(bucket: Storage) -> None:
    day = compact(bucket, FEEDBACK, TODAY)
    assert day.parquet is None
    assert list(day.tables()) == []
    assert list(bucket.names()) == []


def test_new_records_are_merged_with_earlier_ones(bucket: Storage) -> None:
    put_feedback(bucket, make_feedback("a"))
    compact(bucket, FEEDBACK, TODAY)
    put_feedback(bucket, make_feedback("b"))

    assert labels(bucket) == all_ant("a", "b")


@pytest.mark.parametrize(
    ("seconds", "label"), [(0, "cat"), (1, "cat"), (-1, "bee")], ids=["within a second", "later", "older"]
)
def test_later_feedback_replaces_compacted_feedback_and_older_does_not(
    bucket: Storage, seconds: int, label: str
) -> None:
    first = make_feedback("a", "bee")
    put_feedback(bucket, first, make_feedback("b"))
    compact(bucket, FEEDBACK, TODAY)
    put_feedback(bucket, make_feedback("a", "cat", time=first.time + timedelta(seconds=seconds)))

    assert labels(bucket) == {"a": label, "b": "ant"}
    assert list(bucket.names()) == [PARQUET]


def test_many_objects_are_compacted_in_steps(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "CHUNK_OBJECTS", 2)
    put_feedback(folder, *(make_feedback(name) for name in "edcba"))
    assert labels(folder) == all_ant(*"abcde")
    monkeypatch.setattr(compaction, "CHUNK_BYTES", 1)
    put_feedback(folder, *(make_feedback(name) for name in "fgh"))
    assert labels(folder) == all_ant(*"abcdefgh")


def test_a_picture_is_not_a_record(bucket: Storage) -> None:
    bucket.write(f"feedback/pictures/date={TODAY}/a.jpg", b"\xff\xd8")
    put_feedback(bucket, make_feedback("a"))

    day = compact(bucket, FEEDBACK, TODAY)
    assert day.broken == ()
    assert list(bucket.names()) == [PARQUET, f"feedback/pictures/date={TODAY}/a.jpg"]


def test_a_picture_without_consent_any_more_is_deleted(bucket: Storage) -> None:
    names = {who: f"feedback/pictures/date={TODAY}/{who}.jpg" for who in "abc"}
    for who, name in names.items():
        bucket.write(name, b"\xff\xd8")
        put_feedback(bucket, make_feedback(who, picture=name))
    put_feedback(bucket, make_feedback("foreign", picture="models/current.json"))
    bucket.write("models/current.json", b"{}")
    compact(bucket, FEEDBACK, TODAY)
    later = NOON + timedelta(hours=1)
    put_feedback(
        bucket, make_feedback("a", "cat", time=later), make_feedback("b", "cat", time=later, picture=names["b"])
    )
    put_feedback(bucket, make_feedback("foreign", "cat", time=later))
    bucket.delete(names["c"])
    put_feedback(bucket, make_feedback("c", "cat", time=later))

    assert labels(bucket) == dict.fromkeys(["a", "b", "c", "foreign"], "cat")
    assert list(bucket.names()) == [PARQUET, names["b"], "models/current.json"]


def feedback_json(**changes: Any) -> bytes:
    return json.dumps({**make_feedback("x").model_dump(mode="json"), **changes}).encode()


BROKEN = {
    "nothing": b"",
    "half a record": make_feedback("x").model_dump_json().encode()[:100],
    "no UTF-8": b"\xff\xfe\x00",
    "another kind of JSON": b"[1, 2]",
    "a field too many": feedback_json(more=1),
    "a confidence over 1": feedback_json(confidence=1.5),
    "a time without its zone": feedback_json(answered="2026-11-24T12:00:00"),
    "another id than its name": feedback_json(id="y"),
    "another day than its name": feedback_json(answered="2026-11-23T12:00:00Z"),
    "a time before all times": feedback_json(answered="0001-01-01T00:00:00+14:00"),
    "half a character": feedback_json().replace(b'"ant"', b'"\\ud800"'),
    "too deep": b"[" * 5000 + b"]" * 5000,
    "too large": b" " * 200_000 + feedback_json(),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_record_is_reported_and_kept(folder: FolderStorage, data: bytes) -> None:
    put_feedback(folder, make_feedback("a"))
    folder.write(f"{DAY}x.json", data)
    for _ in range(2):
        day = compact(folder, FEEDBACK, TODAY)
        assert day.broken == (f"{DAY}x.json",)
        assert labels(folder) == all_ant("a")
        assert folder.read(f"{DAY}x.json").data == data


def test_an_object_with_another_name_is_reported_and_not_read(folder: FolderStorage) -> None:
    for name in ("notes.txt", "deeper/a.json"):
        folder.write(f"{DAY}{name}", make_feedback("a").model_dump_json().encode())

    day = compact(folder, FEEDBACK, TODAY)
    assert day.broken == (f"{DAY}deeper/a.json", f"{DAY}notes.txt")
    assert day.parquet is None


def test_a_day_is_that_of_utc(folder: FolderStorage) -> None:
    west = timezone(timedelta(hours=-10))
    put_feedback(folder, make_feedback("a", answered=datetime(2026, 11, 23, 20, tzinfo=west)))
    [table] = compact(folder, FEEDBACK, TODAY).tables()
    assert table["answered"].to_pylist() == [datetime(2026, 11, 24, 6, tzinfo=UTC)]


def test_a_prediction_logged_twice_counts_once(bucket: Storage) -> None:
    random = np.random.default_rng(0)
    entries = [make_prediction(str(number), random) for number in range(5)]
    put_predictions(bucket, entries)
    put_predictions(bucket, entries[:2])

    [table] = compact(bucket, PREDICTIONS, TODAY).tables()
    assert table["id"].to_pylist() == ["0", "1", "2", "3", "4"]
    assert table["projection"].to_pylist() == [list(entry.projection) for entry in entries]
    put_predictions(bucket, entries)
    [again] = compact(bucket, PREDICTIONS, TODAY).tables()
    assert again.equals(table)
    assert list(bucket.names()) == [f"compacted/predictions/date={TODAY}.parquet"]


def test_a_log_with_broken_lines_is_kept_and_its_other_lines_count(folder: FolderStorage) -> None:
    random = np.random.default_rng(0)
    good = make_prediction("a", random)
    lines = [
        good.model_dump_json(),
        "{",
        "",
        make_prediction("b", random, time=NOON - timedelta(days=1)).model_dump_json(),
        make_prediction("c", random).model_dump_json().replace('"width":300', '"width":10000000000000000000'),
    ]
    name = f"predictions/date={TODAY}/20261124T120000Z-0123456789ab.jsonl"
    folder.write(name, "\n".join(lines).encode())
    for _ in range(2):
        day = compact(folder, PREDICTIONS, TODAY)
        assert day.broken == tuple(f"{name}:{line}" for line in (2, 3, 4, 5))
        assert [table["id"].to_pylist() for table in day.tables()] == [["a"]]
    assert name in list(folder.names())


def test_a_failure_between_any_two_steps_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "CHUNK_OBJECTS", 2)
    steps = 0
    while True:
        storage = FolderStorage(tmp_path / str(steps))
        put_feedback(storage, *(make_feedback(name) for name in "abc"))
        compact(storage, FEEDBACK, TODAY)
        put_feedback(
            storage, *(make_feedback(name) for name in "def"), make_feedback("a", "bee", time=NOON + timedelta(hours=1))
        )
        left = steps

        def end(verb: str, _: str) -> None:
            nonlocal left
            left -= verb in ("write", "delete")
            if left < 0:
                raise StorageUnavailable("it fails here")

        try:
            compact(HookedStorage(storage, end), FEEDBACK, TODAY)
        except StorageUnavailable:
            assert labels(storage) == {**all_ant(*"abcdef"), "a": "bee"}
            assert list(storage.names()) == [PARQUET]
            steps += 1
        else:
            break
    assert steps == 6, "two files and four deletions"


def test_a_process_that_is_killed_loses_nothing(folder: FolderStorage) -> None:
    ids = [f"{number:03}" for number in range(60)]
    put_feedback(folder, *map(make_feedback, ids))
    context = multiprocessing.get_context("spawn")
    for steps in (0, 1, 5, 20):
        process = context.Process(target=_compact_and_die, args=(folder, steps))
        process.start()
        process.join()
        assert process.exitcode == 9
    assert labels(folder) == all_ant(*ids)
    assert list(folder.names()) == [PARQUET]


def _compact_and_die(folder: FolderStorage, steps: int) -> None:
    left = steps
    lock = threading.Lock()

    def die(verb: str, _: str) -> None:
        nonlocal left
        with lock:
            left -= verb in ("write", "delete")
            if left < 0:
                os._exit(9)

    compact(HookedStorage(folder, die), FEEDBACK, TODAY)


def once(event: str, action: Callable[[], object]) -> Hook:
    done = threading.Event()

    def hook(called: str, _: str) -> None:
        if called == event and not done.is_set():
            done.set()
            action()

    return hook


def test_feedback_that_changes_during_compaction_wins(bucket: Storage) -> None:
    put_feedback(bucket, make_feedback("a", "bee"))
    later = make_feedback("a", "cat", time=NOON + timedelta(hours=1))

    compact(HookedStorage(bucket, once("delete", lambda: put_feedback(bucket, later))), FEEDBACK, TODAY)

    assert list(bucket.names()) == [PARQUET, f"{DAY}a.json"]
    assert labels(bucket) == {"a": "cat"}
    assert list(bucket.names()) == [PARQUET]


@pytest.mark.parametrize(
    ("verb", "seen"), [("after sizes", "cat"), ("read", "cat"), ("write", "cat"), ("delete", "bee")], ids=str
)
def test_records_that_others_compact_before_the_write_are_in_the_result(bucket: Storage, verb: str, seen: str) -> None:
    put_feedback(bucket, make_feedback("a"), make_feedback("b", "bee"))

    def meanwhile() -> None:
        labels(bucket)
        put_feedback(bucket, make_feedback("b", "cat"))
        labels(bucket)

    assert labels(HookedStorage(bucket, once(verb, meanwhile))) == {"a": "ant", "b": seen}
    assert labels(bucket) == {"a": "ant", "b": "cat"}


def test_two_concurrent_compactions_with_new_feedback_lose_nothing(bucket: Storage) -> None:
    rounds, people = 6, 15
    done = threading.Event()

    def compact_repeatedly() -> None:
        while not done.is_set():
            compact(bucket, FEEDBACK, TODAY)

    with ThreadPoolExecutor(3) as pool:
        working = [pool.submit(compact_repeatedly) for _ in range(2)]
        for number in range(rounds):
            if isinstance(bucket, FolderStorage):  # the emulator does not look and delete in one step
                label, time = "bee" if number % 2 else "cat", NOON + timedelta(seconds=number)
                put_feedback(bucket, *(make_feedback(f"{who}", label, time=time) for who in range(people)))
            put_feedback(bucket, *(make_feedback(f"{number}-{who}") for who in range(people)))
        done.set()
        for work in working:
            work.result()
    expected = {f"{who}": "bee" for who in range(people) if isinstance(bucket, FolderStorage)}
    expected |= {f"{number}-{who}": "ant" for number in range(rounds) for who in range(people)}
    assert labels(bucket) == expected
    assert list(bucket.names()) == [PARQUET]


def test_compaction_gives_up_a_day_that_others_keep_writing(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "RETRY_SECONDS", 0.0)
    put_feedback(folder, make_feedback("a"))
    numbers = iter(range(100))

    def meanwhile(verb: str, _: str) -> None:
        if verb == "write":
            put_feedback(folder, make_feedback(f"other-{next(numbers)}"))
            compact(folder, FEEDBACK, TODAY)
            put_feedback(folder, make_feedback("a", time=NOON + timedelta(hours=next(numbers))))

    with pytest.raises(Busy, match=r"Other processes are compacting the feedback of 2026-11-24\. Try again"):
        compact(HookedStorage(folder, meanwhile), FEEDBACK, TODAY)
    assert set(labels(folder)) == {"a", "other-0"}


ROWS = FEEDBACK.parse(f"{DAY}a.json", make_feedback("a").model_dump_json().encode()).rows
TABLE = pa.Table.from_pylist(ROWS, FEEDBACK.schema)
NO_PARQUET = rf"{PARQUET} cannot be read: .* Restore it, or delete it"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        *((data, NO_PARQUET) for data in (b"", b"PAR1", b"not a table at all, but long enough to be one")),
        (TABLE.append_column("mood", pa.array(["good"])), r"differs in the columns mood\. Make reports with"),
        (TABLE.set_column(0, "id", pa.array([[1]])), "cannot be read"),
    ],
    ids=["empty", "cut", "text", "unknown column", "other type"],
)
def test_a_file_that_is_no_table_of_records_is_an_error_and_nothing_is_deleted(
    folder: FolderStorage, file: bytes | pa.Table, message: str
) -> None:
    folder.write(PARQUET, file if isinstance(file, bytes) else to_parquet(file))
    with pytest.raises(BrokenRecords, match=message):
        list(compact(folder, FEEDBACK, TODAY).tables())
    put_feedback(folder, make_feedback("a"))
    with pytest.raises(BrokenRecords, match=message):
        compact(folder, FEEDBACK, TODAY)
    assert list(folder.names()) == [PARQUET, f"{DAY}a.json"]
