"""A published version with a reference, and records of its predictions and of the feedback on them."""

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from animals import registry
from animals.monitoring.record_types import PREDICTIONS
from animals.prediction_records import Feedback, LoggedPrediction
from animals.records import probability_columns, projection_columns
from animals.storage import Storage
from tests.support.cards import make_card

LABELS = ("ant", "bee", "cat", "dog")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TODAY = NOON.date()
DIMENSIONS = 2


def make_probabilities(
    random: np.random.Generator, prediction: str, labels: Sequence[str] = LABELS
) -> dict[str, float]:
    """Return probabilities of which this label has the highest."""
    rest = random.dirichlet(np.ones(len(labels))) * 0.4
    rest[labels.index(prediction)] += 0.6
    return {label: round(float(share), 6) for label, share in zip(labels, rest, strict=True)}


def make_feedback(identity: str, label: str = "ant", **changes: Any) -> Feedback:
    """Return feedback on the prediction "ant" of version r1, made today at noon."""
    probabilities = changes.pop("probabilities", None) or make_probabilities(np.random.default_rng(0), "ant")
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


def make_prediction(
    identity: str, random: np.random.Generator, *, shift: float = 0.0, **changes: Any
) -> LoggedPrediction:
    """Return a prediction of version r1 today at noon, for a picture brighter by `shift` than the reference."""
    prediction = str(random.choice(LABELS))
    probabilities = make_probabilities(random, prediction)
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


def row(record: Feedback | LoggedPrediction) -> dict[str, Any]:
    """Return a record as a row of a table with the columns of `reference.parquet`."""
    values = record.model_dump(exclude={"probabilities", "projection"})
    projection = record.projection if isinstance(record, LoggedPrediction) else ()
    return {**values, **probability_columns(record.probabilities), **projection_columns(projection)}


def reference_frame(rows: int = 400, accuracy: float = 0.9) -> pd.DataFrame:
    """Return the predictions for the test pictures."""
    random = np.random.default_rng(1)
    frame = pd.DataFrame(row(make_prediction(str(number), random)) for number in range(rows))
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
    """Write a version that has only a reference, and let it serve."""
    file = BytesIO()
    (reference_frame() if reference is None else reference).to_parquet(file, index=False)
    data = file.getvalue()
    files = {registry.REFERENCE: registry.describe(data)}
    card = make_card(version, created=created, labels=labels, files=files)
    registry.write_version(storage, card, {registry.REFERENCE: data})
    registry.promote(storage, version, reason="test")


def logged(storage: Storage) -> list[LoggedPrediction]:
    """Return the prediction log."""
    lines = [line for name in storage.names("predictions/") for line in storage.read(name).data.splitlines()]
    return [LoggedPrediction.model_validate_json(line) for line in lines]


def put_feedback(storage: Storage, *records: Feedback) -> None:
    """Store feedback as the backend does."""
    for record in records:
        storage.write(record.name, record.model_dump_json().encode())


def put_predictions(storage: Storage, records: Iterable[LoggedPrediction]) -> None:
    """Store predictions as the backend does, those of a day as one object."""
    days: dict[date, list[LoggedPrediction]] = {}
    for record in records:
        days.setdefault(record.time.date(), []).append(record)
    for day, entries in days.items():
        lines = b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)
        storage.write(f"{PREDICTIONS.prefix(day)}20261124T120000Z-{uuid.uuid4().hex[:12]}.jsonl", lines)
