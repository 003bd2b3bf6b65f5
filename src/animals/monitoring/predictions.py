"""A version's predictions, counted by day, and their drift."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from animals.api import DayOfPredictions, Drift, PredictionsSummary
from animals.monitoring.compaction import compact
from animals.monitoring.drift import detect_drift
from animals.monitoring.record_types import PREDICTIONS
from animals.monitoring.reference import Reference
from animals.monitoring.tables import Sample, is_valid, of_version, to_frame
from animals.storage import Storage


class PredictionsResult(NamedTuple):
    """The predictions of a period, and a sample of their records."""

    summary: PredictionsSummary
    drift: Drift
    days_drifted: int
    sample: pd.DataFrame


class _Day(NamedTuple):
    summary: DayOfPredictions
    broken: int
    sample: pd.DataFrame


def read_predictions(storage: Storage, days: Sequence[date], reference: Reference) -> PredictionsResult:
    """Count a version's predictions of these days, and compare them with its reference."""
    labels = reference.card.labels
    sample = Sample(PREDICTIONS.schema)
    by_day: list[DayOfPredictions] = []
    broken = days_drifted = 0
    in_a_row = True
    for day in reversed(days):  # the latest first: days before one without drift need no test
        result = _read_day(storage, day, reference, sample)
        by_day.insert(0, result.summary)
        broken += result.broken
        if in_a_row and (drift := detect_drift(reference.table, result.sample, labels)).checked:
            in_a_row = drift.drifted
            days_drifted += drift.drifted
    frame = to_frame(sample.table, labels)
    summary = PredictionsSummary(records=sample.seen, sampled=len(frame), by_day=tuple(by_day), broken_count=broken)
    return PredictionsResult(summary, detect_drift(reference.table, frame, labels), days_drifted, frame)


def _read_day(storage: Storage, day: date, reference: Reference, sample: Sample) -> _Day:
    card = reference.card
    stored = compact(storage, PREDICTIONS, day)
    broken = len(stored.broken)
    of_day = Sample(PREDICTIONS.schema)
    milliseconds = [np.empty(0, np.float32)]  # of the whole day, four bytes each
    for table in stored.tables():
        rows = of_version(table, card.version)
        valid = is_valid(rows, card)
        broken += rows.num_rows - (pc.sum(valid).as_py() or 0)
        rows = rows.filter(valid)
        milliseconds.append(rows["milliseconds"].to_numpy().astype(np.float32))
        sample.add(rows)
        of_day.add(rows)
    times = np.concatenate(milliseconds)
    median = round(float(np.median(times)), 3) if len(times) else None
    summary = DayOfPredictions(date=day, records=of_day.seen, median_milliseconds=median)
    return _Day(summary, broken, to_frame(of_day.table, card.labels))
