"""What was read once becomes one Parquet file a day, so that a report costs what is new.

```
feedback/date=2026-11-24/<id>.json      ──>  compacted/feedback/date=2026-11-24.parquet
predictions/date=2026-11-24/<…>.jsonl   ──>  compacted/predictions/date=2026-11-24.parquet
```
It may be ended at any moment and go on at once in two processes; docs/design/reports.md says why nothing is lost then.
"""

import contextlib
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Final

import pyarrow as pa

from animals.concurrency import in_threads
from animals.errors import Busy, NoSuchObject, ObjectChanged
from animals.monitoring.day_file import decode, encode, merge
from animals.monitoring.record_types import Kind
from animals.records import FEEDBACK_PICTURES
from animals.storage import ABSENT, Storage, StoredObject

CHUNK_OBJECTS: Final = 2000
"""Loose objects that are compacted in one step: what is done then stays done, and is no longer in memory."""

CHUNK_BYTES: Final = 16_000_000
"""Of these objects together, unless a single one is larger."""

PATIENCE: Final = 30.0
"""Seconds after which a day is left to others who compact it at the same time."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's records of one kind, after compaction."""

    kind: Kind
    date: date
    parquet: bytes | None
    """Its file; None where there is no record."""
    broken: tuple[str, ...]
    """Names of the objects, or of their lines, that cannot be read; they stay where they are."""

    def tables(self) -> Iterator[pa.Table]:
        """The records, some at a time, in the order of their ids.

        Raises:
            BrokenRecords: the file cannot be read.
        """
        if self.parquet is not None:
            yield from decode(self.kind.compacted(self.date), self.parquet, self.kind.schema)


class _Disappeared(Exception):
    """An object was listed and is gone: somebody else has compacted it meanwhile."""


def compact(storage: Storage, kind: Kind, day: date) -> Day:
    """Bring a day's new records into its Parquet file, and give all records of the day.

    Raises:
        BrokenRecords: the file that is there cannot be read.
        Busy: others compact the same day all the time.
        StorageUnavailable: the bucket is away.
    """
    deadline = time.monotonic() + PATIENCE
    wait = 0.05
    while True:
        try:
            return _compact(storage, kind, day)
        except (ObjectChanged, _Disappeared) as error:
            if time.monotonic() > deadline:
                raise Busy(f"Others are compacting the {kind.folder} of {day}. Try again in a moment.") from error
        time.sleep(random.uniform(wait / 2, wait))  # noqa: S311 - so that two do not go on in step
        wait = min(2 * wait, 2.0)


def _compact(storage: Storage, kind: Kind, day: date) -> Day:
    # The order matters: what the list misses was in the file before, and what is read after the file is not older than
    # what the file holds.
    listed = dict(storage.sizes(kind.loose(day)))
    file = _File(storage, kind, day)
    broken = [name for name, size in listed.items() if not name.endswith(kind.ending) or size > kind.max_bytes]
    for name in broken:
        del listed[name]
    for names in _chunks(listed):
        broken += _compact_chunk(storage, kind, file, names)
    return Day(kind, day, file.parquet, tuple(sorted(broken)))


def _compact_chunk(storage: Storage, kind: Kind, file: "_File", names: Sequence[str]) -> list[str]:
    rows: list[dict[str, Any]] = []
    broken: list[str] = []
    whole: list[tuple[str, str]] = []
    for name, stored in in_threads(partial(_read, storage), names):
        parsed = kind.parse(name, stored.data)
        rows += parsed.rows
        broken += parsed.broken
        if not parsed.broken:  # else it stays, or what is broken in it would be lost
            whole.append((name, stored.generation))
    file.add(rows)
    for _ in in_threads(partial(_delete, storage), whole):
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


def _read(storage: Storage, name: str) -> StoredObject:
    try:
        return storage.read(name)
    except NoSuchObject as error:
        raise _Disappeared from error


def _delete(storage: Storage, found: tuple[str, str]) -> None:
    """Remove an object that is in the file, unless it was written again since it was read."""
    name, generation = found
    with contextlib.suppress(NoSuchObject, ObjectChanged):
        storage.delete(name, if_generation=generation)


class _File:
    """A day's Parquet file in the bucket."""

    def __init__(self, storage: Storage, kind: Kind, day: date) -> None:
        self._storage = storage
        self._name = kind.compacted(day)
        self._schema = kind.schema
        self._generation = ABSENT
        self.parquet: bytes | None = None
        with contextlib.suppress(NoSuchObject):
            found = storage.read(self._name)
            self.parquet, self._generation = found.data, found.generation

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Store these rows too.

        Raises:
            ObjectChanged: somebody else has written the file meanwhile.
        """
        if not rows:
            return
        before = self._table()
        after = merge(before, rows)
        if not after.equals(before):
            self._forget_pictures(before, after)
            self.parquet = encode(after)
            self._generation = self._storage.write(self._name, self.parquet, if_generation=self._generation)

    def _forget_pictures(self, before: pa.Table, after: pa.Table) -> None:
        """Who judges again and does not send the picture any more does not want it kept.

        They go first: a record may name a picture that is gone, but none may stay that nobody remembers.
        """
        for name in _pictures(before) - _pictures(after):
            with contextlib.suppress(NoSuchObject):
                self._storage.delete(name)

    def _table(self) -> pa.Table:
        parts = [] if self.parquet is None else decode(self._name, self.parquet, self._schema)
        return pa.concat_tables([self._schema.empty_table(), *parts])


def _pictures(table: pa.Table) -> set[str]:
    names = table["picture"].drop_null().to_pylist() if "picture" in table.column_names else []
    return {name for name in names if name.startswith(FEEDBACK_PICTURES)}
