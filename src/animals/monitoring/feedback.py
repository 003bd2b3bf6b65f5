"""What people said of a version's answers, counted day by day."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from functools import partial
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import binomtest

from animals.concurrency import in_threads
from animals.monitoring import decision
from animals.monitoring.compaction import compact
from animals.monitoring.frames import of_version, to_frame, usable
from animals.monitoring.record_types import FEEDBACK
from animals.monitoring.reference import Reference
from animals.monitoring.sampling import Sample
from animals.monitoring.summary import DayOfFeedback, FeedbackSummary
from animals.records import FEEDBACK_PICTURES, Card, feedback_name, pictured
from animals.storage import Storage

NEEDED: Final = decision.DEFAULTS.feedback
"""Records from which on the accuracy says something; with fewer there is no performance report."""

NAMED: Final = 20
"""Broken records that are named; the others are only counted."""


class Judged(NamedTuple):
    """What was found."""

    summary: FeedbackSummary
    sample: pd.DataFrame
    """Some of the records, as `records.Feedback.row`."""


def read_feedback(storage: Storage, days: Sequence[date], reference: Reference) -> Judged:
    """Count the judgements on a version's answers of these days.

    Raises:
        BrokenRecords: what was compacted cannot be read.
        StorageUnavailable: the bucket is away.
    """
    counts = _Counts(reference.card)
    by_day = tuple(counts.add_day(storage, day) for day in days)
    records, right = sum(day.records for day in by_day), sum(day.right for day in by_day)
    summary = FeedbackSummary(
        records=records,
        right=right,
        accuracy=right / records if records else None,
        interval=wilson(right, records) if records else None,
        reference_accuracy=reference.accuracy,
        by_day=by_day,
        labels={label: counts.labels[label] for label in reference.card.labels},
        versions=dict(sorted(counts.versions.items())),
        sampled=counts.sample.table.num_rows,
        broken=tuple(counts.broken[:NAMED]),
        broken_count=len(counts.broken),
        needed=NEEDED,
    )
    return Judged(summary, to_frame(counts.sample.table, reference.card.labels))


class _Counts:
    """What adds up over the days."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.labels: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()
        self.broken: list[str] = []
        self.sample = Sample(FEEDBACK.schema)

    def add_day(self, storage: Storage, day: date) -> DayOfFeedback:
        stored = compact(storage, FEEDBACK, day)
        self.broken += stored.broken
        records = right = 0
        for table in stored.tables():
            self.versions.update(_counted(table["version"]))
            mine = of_version(table, self._card.version)
            good = usable(mine, self._card)
            self.broken += [
                feedback_name(row["answered"], row["id"])
                for row in mine.filter(pc.invert(good)).select(["id", "answered"]).to_pylist()
            ]
            mine = mine.filter(good)
            self.labels.update(_counted(mine["label"]))
            records += mine.num_rows
            right += pc.sum(pc.equal(mine["label"], mine["prediction"])).as_py() or 0
            self.sample.add(mine)
        return DayOfFeedback(date=day, records=records, right=right)


def _counted(column: pa.ChunkedArray) -> dict[str, int]:
    return {found["values"]: found["counts"] for found in pc.value_counts(column).to_pylist()}


def wilson(right: int, records: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion after Wilson: it holds for few records and for proportions near 1."""
    interval = binomtest(right, records).proportion_ci(method="wilson")
    return max(0.0, float(interval.low)), min(1.0, float(interval.high))


def count_pictures(storage: Storage, card: Card, today: date) -> int:
    """Pictures that people let be kept, of answers given after the version was made.

    Later days are counted by the names of the pictures; of the day itself only the records know which came later.

    Raises:
        BrokenRecords: what was compacted cannot be read.
        StorageUnavailable: the bucket is away.
    """
    created = card.created.astimezone(UTC)
    first = 0
    for table in compact(storage, FEEDBACK, created.date()).tables():
        later = pc.greater(table["answered"], pa.scalar(created, table["answered"].type))
        first += table.filter(pc.and_(later, pc.is_valid(table["picture"]))).num_rows
    days = [created.date() + timedelta(days=after) for after in range(1, (today - created.date()).days + 1)]
    return first + sum(count for _, count in in_threads(partial(_pictures_of, storage), days))


def _pictures_of(storage: Storage, day: date) -> int:
    return len(set(map(pictured, storage.names(f"{FEEDBACK_PICTURES}date={day:%Y-%m-%d}/"))))
