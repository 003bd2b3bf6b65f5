"""Feedback on a version's predictions, counted by day."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import Final, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import binomtest

from animals.api import DayOfFeedback, FeedbackSummary
from animals.concurrency import in_threads
from animals.monitoring import decision
from animals.monitoring.compaction import compact
from animals.monitoring.record_types import FEEDBACK
from animals.monitoring.reference import Reference
from animals.monitoring.tables import Sample, is_valid, of_version, to_frame
from animals.prediction_records import FEEDBACK_PICTURES, feedback_name, pictured
from animals.records import Card
from animals.storage import Storage

NEEDED: Final = decision.DEFAULTS.feedback

MAX_NAMED: Final = 20
"""Broken records that a summary names; the others are only counted."""


class FeedbackResult(NamedTuple):
    """The feedback of a period, and a sample of its records."""

    summary: FeedbackSummary
    sample: pd.DataFrame


def read_feedback(storage: Storage, days: Sequence[date], reference: Reference) -> FeedbackResult:
    """Count the feedback on a version's predictions of these days."""
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
        broken=tuple(counts.broken[:MAX_NAMED]),
        broken_count=len(counts.broken),
        needed=NEEDED,
    )
    return FeedbackResult(summary, to_frame(counts.sample.table, reference.card.labels))


class _Counts:
    """Counts over several days."""

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
            self.versions.update(_value_counts(table["version"]))
            rows = of_version(table, self._card.version)
            valid = is_valid(rows, self._card)
            self.broken += [
                feedback_name(row["answered"], row["id"])
                for row in rows.filter(pc.invert(valid)).select(["id", "answered"]).to_pylist()
            ]
            rows = rows.filter(valid)
            self.labels.update(_value_counts(rows["label"]))
            records += rows.num_rows
            right += pc.sum(pc.equal(rows["label"], rows["prediction"])).as_py() or 0
            self.sample.add(rows)
        return DayOfFeedback(date=day, records=records, right=right)


def _value_counts(column: pa.ChunkedArray) -> dict[str, int]:
    return {row["values"]: row["counts"] for row in pc.value_counts(column).to_pylist()}


def wilson(right: int, records: int) -> tuple[float, float]:
    """Return the 95 % interval of a proportion after Wilson: it holds for few records and for proportions near 1."""
    interval = binomtest(right, records).proportion_ci(method="wilson")
    return max(0.0, float(interval.low)), min(1.0, float(interval.high))


def count_pictures(storage: Storage, card: Card, today: date) -> int:
    """Count the pictures stored with feedback on predictions made after the version was created.

    Later days are counted by the names of the pictures; on the day of creation only the records tell which predictions
    came later.
    """
    created = card.created.astimezone(UTC)
    first_day = 0
    for table in compact(storage, FEEDBACK, created.date()).tables():
        later = pc.greater(table["answered"], pa.scalar(created, table["answered"].type))
        first_day += table.filter(pc.and_(later, pc.is_valid(table["picture"]))).num_rows
    days = [created.date() + timedelta(days=after) for after in range(1, (today - created.date()).days + 1)]
    return first_day + sum(count for _, count in in_threads(lambda day: _count_pictures_of(storage, day), days))


def _count_pictures_of(storage: Storage, day: date) -> int:
    return len(set(map(pictured, storage.names(f"{FEEDBACK_PICTURES}date={day:%Y-%m-%d}/"))))
