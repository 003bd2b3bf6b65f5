"""The two types of stored records: how their objects are read, and the schema of their table."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, NamedTuple

import pyarrow as pa
from pydantic import AwareDatetime, ValidationError

from animals.prediction_records import Feedback, LoggedPrediction
from animals.records import Probability, Record

_ARROW_TYPES: Final[dict[Any, pa.DataType]] = {
    str: pa.string(),
    str | None: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    AwareDatetime: pa.timestamp("us", tz="UTC"),
    dict[str, Probability]: pa.map_(pa.string(), pa.float64()),
    tuple[float, ...]: pa.list_(pa.float64()),
}
_MAX_INT: Final = 2**63 - 1


class Parsed(NamedTuple):
    """The content of one object."""

    rows: list[dict[str, Any]]
    broken: list[str]
    """The object's name, or the names of its lines, that cannot be read."""


@dataclass(frozen=True, slots=True)
class RecordType:
    """A type of records.

    The schema does not depend on the labels, so that one table holds the records of several versions.
    """

    folder: str
    """Folder in the bucket: `<folder>/date=<day>/…`."""
    suffix: str
    max_bytes: int
    """Largest object that is read; a larger one is not a record."""
    schema: pa.Schema
    parse: Callable[[str, bytes], Parsed]

    def prefix(self, day: date) -> str:
        """Return the prefix of the names of a day's objects."""
        return f"{self.folder}/date={day:%Y-%m-%d}/"

    def compacted(self, day: date) -> str:
        """Return the name of a day's Parquet file."""
        return f"compacted/{self.folder}/date={day:%Y-%m-%d}.parquet"


def _parse_feedback(name: str, data: bytes) -> Parsed:
    try:
        record = Feedback.model_validate_json(data)
        row = _to_row(record)
    except (ValidationError, OverflowError):
        return Parsed([], [name])
    return Parsed([row], []) if name == record.name else Parsed([], [name])  # a copy would count twice


def _parse_predictions(name: str, data: bytes) -> Parsed:
    parsed = Parsed([], [])
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            row = _to_row(LoggedPrediction.model_validate_json(line))
        except (ValidationError, OverflowError):
            row = None
        if row and name.startswith(PREDICTIONS.prefix(row["time"].date())):
            parsed.rows.append(row)
        else:
            parsed.broken.append(f"{name}:{number}")
    return parsed


def _to_row(record: Feedback | LoggedPrediction) -> dict[str, Any]:
    """Return a record as Arrow reads it; a number that does not fit into its column is an OverflowError."""
    row = record.model_dump()
    row["probabilities"] = list(row["probabilities"].items())
    for name, value in row.items():
        if isinstance(value, datetime):
            row[name] = value.astimezone(UTC)
        elif isinstance(value, int) and abs(value) > _MAX_INT:
            raise OverflowError
    return row


def _schema(record: type[Record]) -> pa.Schema:
    return pa.schema({name: _ARROW_TYPES[field.annotation] for name, field in record.model_fields.items()})


FEEDBACK: Final = RecordType(
    folder="feedback", suffix=".json", max_bytes=100_000, schema=_schema(Feedback), parse=_parse_feedback
)
PREDICTIONS: Final = RecordType(
    folder="predictions",
    suffix=".jsonl",
    max_bytes=32_000_000,
    schema=_schema(LoggedPrediction),
    parse=_parse_predictions,
)
