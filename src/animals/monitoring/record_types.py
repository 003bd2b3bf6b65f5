"""The two kinds of records that come in: what their objects hold, and the table that they become."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pydantic import ValidationError

from animals.records import Feedback, LoggedPrediction

_SHARES: Final = pa.map_(pa.string(), pa.float64())
_TIME: Final = pa.timestamp("us", tz="UTC")
_LARGEST: Final = 2**63 - 1


class Parsed(NamedTuple):
    """What one object held."""

    rows: list[dict[str, Any]]
    broken: list[str]
    """The object's name, or the names of its lines, that cannot be read."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of records.

    The schema is the same whatever the labels are, so that the records of several versions lie in one table.
    """

    folder: str
    """In the bucket: `<folder>/date=<day>/…`."""
    ending: str
    """Of the objects' names."""
    max_bytes: int
    """Of one object; a larger one is none of ours, and is not read."""
    schema: pa.Schema
    parse: Callable[[str, bytes], Parsed]
    """Reads the object of this name with this content."""

    def loose(self, day: date) -> str:
        """What the names of the day's objects begin with."""
        return f"{self.folder}/date={day:%Y-%m-%d}/"

    def compacted(self, day: date) -> str:
        """Name of the day's Parquet file."""
        return f"compacted/{self.folder}/date={day:%Y-%m-%d}.parquet"


def _parse_feedback(name: str, data: bytes) -> Parsed:
    try:
        record = Feedback.model_validate_json(data)
        row = _row(record)
    except (ValidationError, OverflowError):
        return Parsed([], [name])
    return Parsed([row], []) if name == record.name else Parsed([], [name])  # elsewhere it would be counted twice


def _parse_predictions(name: str, data: bytes) -> Parsed:
    parsed = Parsed([], [])
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            row = _row(LoggedPrediction.model_validate_json(line))
        except (ValidationError, OverflowError):
            row = None
        if row and name.startswith(PREDICTIONS.loose(row["time"].date())):
            parsed.rows.append(row)
        else:
            parsed.broken.append(f"{name}:{number}")
    return parsed


def _row(record: Feedback | LoggedPrediction) -> dict[str, Any]:
    """As Arrow wants it.

    Raises:
        OverflowError: a number or a time is beyond what a column can hold.
    """
    row = record.model_dump()
    row["probabilities"] = list(row["probabilities"].items())
    for name, value in row.items():
        if isinstance(value, datetime):
            row[name] = value.astimezone(UTC)
        elif isinstance(value, int) and abs(value) > _LARGEST:
            raise OverflowError
    return row


FEEDBACK: Final = Kind(
    folder="feedback",
    ending=".json",
    max_bytes=100_000,
    schema=pa.schema(
        {
            "id": pa.string(),
            "time": _TIME,
            "answered": _TIME,
            "version": pa.string(),
            "label": pa.string(),
            "prediction": pa.string(),
            "confidence": pa.float64(),
            "probabilities": _SHARES,
            "picture": pa.string(),
        }
    ),
    parse=_parse_feedback,
)

PREDICTIONS: Final = Kind(
    folder="predictions",
    ending=".jsonl",
    max_bytes=32_000_000,
    schema=pa.schema(
        {
            "id": pa.string(),
            "time": _TIME,
            "version": pa.string(),
            "prediction": pa.string(),
            "confidence": pa.float64(),
            "probabilities": _SHARES,
            "brightness": pa.float64(),
            "contrast": pa.float64(),
            "sharpness": pa.float64(),
            "width": pa.int64(),
            "height": pa.int64(),
            "projection": pa.list_(pa.float64()),
            "milliseconds": pa.float64(),
        }
    ),
    parse=_parse_predictions,
)
