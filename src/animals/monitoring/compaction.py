"""Compaction: new records are moved into one Parquet file a day, so that a report reads only few objects.

```
feedback/date=2026-11-24/<id>.json      ──>  compacted/feedback/date=2026-11-24.parquet
predictions/date=2026-11-24/<…>.jsonl   ──>  compacted/predictions/date=2026-11-24.parquet
```
It may be killed at any time and may run in two processes at once without losing a record (docs/design/reports.md).
"""

import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import pyarrow as pa

from animals.concurrency import in_threads
from animals.errors import Busy, NoSuchObject, ObjectChanged
from animals.monitoring.record_types import RecordType
from animals.monitoring.tables import merge, read_batches, to_parquet
from animals.prediction_records import FEEDBACK_PICTURES
from animals.storage import ABSENT, Storage

CHUNK_OBJECTS: Final = 2000
"""Objects compacted in one step, at most: a finished step is durable and leaves the memory."""

CHUNK_BYTES: Final = 16_000_000
"""Total size of the objects of one step, unless a single one is larger."""

RETRY_SECONDS: Final = 30.0
"""Seconds after which compaction gives up if other processes keep changing the same day."""


@dataclass(frozen=True, slots=True)
class Day:
    """The records of one type and day, after compaction."""

    record_type: RecordType
    date: date
    parquet: bytes | None
    """Content of the day's Parquet file; None without records."""
    broken: tuple[str, ...]
    """Names of objects, or of their lines, that cannot be read; they stay in the bucket."""

    def tables(self) -> Iterator[pa.Table]:
        """Yield the records in batches, sorted by id."""
        if self.parquet is not None:
            yield from read_batches(self.record_type.compacted(self.date), self.parquet, self.record_type.schema)


def compact(storage: Storage, record_type: RecordType, day: date) -> Day:
    """Move a day's new records into its Parquet file, and return all records of the day.

    Raises:
        BrokenRecords: the existing file cannot be read.
        Busy: other processes keep compacting the same day.
    """
    deadline = time.monotonic() + RETRY_SECONDS
    wait = 0.05
    while True:
        try:
            return _compact(storage, record_type, day)
        except (ObjectChanged, NoSuchObject) as error:  # or it was listed and is gone: another process compacted it
            if time.monotonic() > deadline:
                raise Busy(
                    f"Other processes are compacting the {record_type.folder} of {day}. Try again in a moment."
                ) from error
        time.sleep(random.uniform(wait / 2, wait))  # noqa: S311 - so that two processes do not retry in step
        wait = min(2 * wait, 2.0)


def _compact(storage: Storage, record_type: RecordType, day: date) -> Day:
    # The order matters: a record missing in the listing is in the file, which is read after it; and objects are read
    # after the file, so that they are not older than its rows.
    sizes = dict(storage.sizes(record_type.prefix(day)))
    file = _DayFile(storage, record_type, day)
    broken = [
        name for name, size in sizes.items() if not name.endswith(record_type.suffix) or size > record_type.max_bytes
    ]
    for name in broken:
        del sizes[name]
    for names in _chunks(sizes):
        broken += _compact_chunk(storage, record_type, file, names)
    return Day(record_type, day, file.parquet, tuple(sorted(broken)))


def _compact_chunk(storage: Storage, record_type: RecordType, file: "_DayFile", names: Sequence[str]) -> list[str]:
    rows: list[dict[str, Any]] = []
    broken: list[str] = []
    generations: dict[str, str] = {}
    for name, stored in in_threads(storage.read, names):
        parsed = record_type.parse(name, stored.data)
        rows += parsed.rows
        broken += parsed.broken
        if not parsed.broken:  # else the object stays, so that its broken lines are not lost
            generations[name] = stored.generation
    file.add(rows)
    for _ in in_threads(lambda name: _delete(storage, name, generations[name]), list(generations)):
        pass
    return broken


def _chunks(sizes: dict[str, int]) -> Iterator[list[str]]:
    names: list[str] = []
    total = 0
    for name, size in sizes.items():
        if names and (len(names) == CHUNK_OBJECTS or total + size > CHUNK_BYTES):
            yield names
            names, total = [], 0
        names.append(name)
        total += size
    if names:
        yield names


def _delete(storage: Storage, name: str, generation: str) -> None:
    """Delete an object whose records are in the file, unless it was written again since it was read."""
    with contextlib.suppress(NoSuchObject, ObjectChanged):
        storage.delete(name, if_generation=generation)


class _DayFile:
    """A day's Parquet file in the bucket."""

    def __init__(self, storage: Storage, record_type: RecordType, day: date) -> None:
        self._storage = storage
        self._name = record_type.compacted(day)
        self._schema = record_type.schema
        self._generation = ABSENT
        self.parquet: bytes | None = None
        with contextlib.suppress(NoSuchObject):
            stored = storage.read(self._name)
            self.parquet, self._generation = stored.data, stored.generation

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Merge rows into the file, unless another process wrote it since it was read: that is ObjectChanged."""
        if not rows:
            return
        before = self._table()
        after = merge(before, rows)
        if not after.equals(before):
            self._delete_withdrawn_pictures(before, after)
            self.parquet = to_parquet(after)
            self._generation = self._storage.write(self._name, self.parquet, if_generation=self._generation)

    def _delete_withdrawn_pictures(self, before: pa.Table, after: pa.Table) -> None:
        """Delete pictures that later feedback does not include: the person withdrew the consent to store them.

        This precedes the write: a record may name a deleted picture, but no picture may stay that no record names.
        """
        for name in _pictures(before) - _pictures(after):
            with contextlib.suppress(NoSuchObject):
                self._storage.delete(name)

    def _table(self) -> pa.Table:
        batches = [] if self.parquet is None else read_batches(self._name, self.parquet, self._schema)
        return pa.concat_tables([self._schema.empty_table(), *batches])


def _pictures(table: pa.Table) -> set[str]:
    names = table["picture"].drop_null().to_pylist() if "picture" in table.column_names else []
    return {name for name in names if name.startswith(FEEDBACK_PICTURES)}
