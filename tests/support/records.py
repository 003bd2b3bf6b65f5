"""A published version with a reference, and records of what it answered and of what people said to that."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from animals import registry
from animals.monitoring.record_types import PREDICTIONS
from animals.preprocess import InputSpec
from animals.records import Card, ExportCheck, Feedback, LoggedPrediction, Metrics, SplitInfo, probability_columns
from animals.storage import Storage

LABELS = ("ant", "bee", "cat", "dog")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOON.date()
DIMENSIONS = 2


def shares(random: np.random.Generator, prediction: str, labels: Sequence[str] = LABELS) -> dict[str, float]:
    """Probabilities of which this label has the highest."""
    rest = random.dirichlet(np.ones(len(labels))) * 0.4
    rest[labels.index(prediction)] += 0.6
    return {label: round(float(share), 6) for label, share in zip(labels, rest, strict=True)}


def judged(identity: str, label: str = "ant", **changes: Any) -> Feedback:
    """A judgement on the answer "ant" of version r1, given today at noon."""
    probabilities = changes.pop("probabilities", None) or shares(np.random.default_rng(0), "ant")
    record = Feedback(
        id=identity,
        time=NOON + timedelta(minutes=1),
        answered=NOON,
        version="r1",
        label=label,
        prediction="ant",
        confidence=probabilities["ant"],
        probabilities=probabilities,
    )
    return record.model_copy(update=changes)


def answered(identity: str, random: np.random.Generator, *, shift: float = 0.0, **changes: Any) -> LoggedPrediction:
    """An answer of version r1 today at noon, to a picture that is so much brighter than those of the reference."""
    prediction = str(random.choice(LABELS))
    probabilities = shares(random, prediction)
    record = LoggedPrediction(
        id=identity,
        time=NOON,
        version="r1",
        prediction=prediction,
        confidence=probabilities[prediction],
        probabilities=probabilities,
        brightness=float(np.clip(random.normal(0.4 + shift, 0.1), 0, 1)),
        contrast=float(random.uniform(0.1, 0.3)),
        sharpness=float(random.uniform(0.1, 0.3)),
        width=300,
        height=200,
        projection=tuple(map(float, random.normal(size=DIMENSIONS))),
        milliseconds=float(random.uniform(10, 20)),
    )
    return record.model_copy(update=changes)


def reference_frame(rows: int = 400, accuracy: float = 0.9) -> pd.DataFrame:
    """What the version answered to its test pictures."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(answered(str(row), random).row() for row in range(rows))
    right = random.random(rows) < accuracy
    frame["target"] = np.where(right, frame["prediction"], np.roll(LABELS, 1)[frame["prediction"].map(LABELS.index)])
    return frame.drop(columns=["id", "time", "version", "milliseconds"])


def publish(
    storage: Storage,
    version: str = "r1",
    *,
    created: datetime = NOON - timedelta(days=3),
    reference: pd.DataFrame | None = None,
    labels: tuple[str, ...] = LABELS,
) -> None:
    """Write a version that has nothing but a reference, and let it serve."""
    file = BytesIO()
    (reference_frame() if reference is None else reference).to_parquet(file, index=False)
    data = file.getvalue()
    card = Card(
        version=version,
        created=created,
        run=version,
        architecture="none",
        labels=labels,
        input=InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        metrics=Metrics(accuracy=0.9, f1_macro=0.9, f1_weighted=0.9, loss=0.1, pictures=400, per_label={}),
        split=SplitInfo(manifest_sha256="0", seed=1, counts={"train": 10, "val": 10, "test": 400}),
        export=ExportCheck(pictures=30, same_label=30, max_probability_difference=0.0),
        config={},
        git_commit=None,
        packages={},
        files={registry.REFERENCE: registry.describe(data)},
    )
    registry.write_version(storage, card, {registry.REFERENCE: data})
    registry.promote(storage, version, reason="test")


def put_feedback(storage: Storage, *records: Feedback) -> None:
    """Store judgements as the backend does."""
    for record in records:
        storage.write(record.name, record.model_dump_json().encode())


def put_predictions(storage: Storage, records: Iterable[LoggedPrediction]) -> None:
    """Store answers as the backend does, those of a day as one object."""
    days: dict[date, list[LoggedPrediction]] = {}
    for record in records:
        days.setdefault(record.time.date(), []).append(record)
    for day, entries in days.items():
        lines = b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)
        storage.write(f"{PREDICTIONS.loose(day)}20261124T120000Z-{uuid.uuid4().hex[:12]}.jsonl", lines)


def columns() -> list[str]:
    """Of the probabilities."""
    return list(probability_columns(dict.fromkeys(LABELS)))
