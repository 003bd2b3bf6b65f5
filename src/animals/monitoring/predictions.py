"""What a version answered, counted day by day, and whether it drifted."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from animals.monitoring.compaction import compact
from animals.monitoring.drift import detect_drift
from animals.monitoring.frames import of_version, to_frame, usable
from animals.monitoring.record_types import PREDICTIONS
from animals.monitoring.reference import Reference
from animals.monitoring.sampling import Sample
from animals.monitoring.summary import DayOfPredictions, Drift, PredictionsSummary
from animals.storage import Storage


class Answered(NamedTuple):
    """What was found."""

    summary: PredictionsSummary
    drift: Drift
    days_drifted: int
    sample: pd.DataFrame
    """Some of the answers, as `LoggedPrediction.row`."""


class _Day(NamedTuple):
    summary: DayOfPredictions
    broken: int
    sample: pd.DataFrame


def read_predictions(storage: Storage, days: Sequence[date], reference: Reference) -> Answered:
    """Count a version's answers of these days, and compare them with its reference.

    Raises:
        BrokenRecords: what was compacted cannot be read.
        StorageUnavailable: the bucket is away.
    """
    labels = reference.card.labels
    sample = Sample(PREDICTIONS.schema)
    by_day: list[DayOfPredictions] = []
    broken = days_drifted = 0
    row_holds = True
    for day in reversed(days):  # so that nothing is compared before the last day without drift
        found = _read_day(storage, day, reference, sample)
        by_day.insert(0, found.summary)
        broken += found.broken
        if row_holds and (drift := detect_drift(reference.table, found.sample, labels)).checked:
            row_holds = drift.drifted
            days_drifted += drift.drifted
    frame = to_frame(sample.table, labels)
    summary = PredictionsSummary(records=sample.seen, sampled=len(frame), by_day=tuple(by_day), broken_count=broken)
    return Answered(summary, detect_drift(reference.table, frame, labels), days_drifted, frame)


def _read_day(storage: Storage, day: date, reference: Reference, sample: Sample) -> _Day:
    card = reference.card
    stored = compact(storage, PREDICTIONS, day)
    broken = len(stored.broken)
    of_day = Sample(PREDICTIONS.schema)
    milliseconds = [np.empty(0, np.float32)]  # of a whole day, four bytes an answer
    for table in stored.tables():
        mine = of_version(table, card.version)
        good = usable(mine, card)
        broken += mine.num_rows - (pc.sum(good).as_py() or 0)
        mine = mine.filter(good)
        milliseconds.append(mine["milliseconds"].to_numpy().astype(np.float32))
        sample.add(mine)
        of_day.add(mine)
    times = np.concatenate(milliseconds)
    median = round(float(np.median(times)), 3) if len(times) else None
    summary = DayOfPredictions(date=day, records=of_day.seen, median_milliseconds=median)
    return _Day(summary, broken, to_frame(of_day.table, card.labels))
