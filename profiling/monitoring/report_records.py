"""The bucket of `report_bench.py`, with synthetic records: only their number matters."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from animals import registry
from animals.concurrency import in_threads
from animals.monitoring.record_types import FEEDBACK, PREDICTIONS, RecordType
from animals.prediction_records import Feedback
from animals.preprocess import InputSpec
from animals.storage import Storage
from profiling.card import publish

LABELS: Final = tuple(f"animal_{number}" for number in range(10))
NOW: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAYS: Final = 7
PROJECTIONS: Final = 8


def make_table(kind: RecordType, rows: int, day: datetime) -> pa.Table:
    """Return a table of predictions, or of feedback on them."""
    random = np.random.default_rng(day.day)
    shares = random.dirichlet(np.full(len(LABELS), 0.3), rows).round(6)
    best = shares.argmax(1)
    truth = np.where(random.random(rows) < 0.9, best, random.integers(len(LABELS), size=rows))
    names = np.array(LABELS)
    time = pa.array(np.full(rows, np.datetime64(day.replace(tzinfo=None), "us"))).cast(pa.timestamp("us", "UTC"))
    columns: dict[str, Any] = {
        "id": [f"{day:%d}-{number:08}" for number in range(rows)],
        "time": time,
        "answered": time,
        "version": ["r1"] * rows,
        "label": names[truth],
        "prediction": names[best],
        "confidence": shares.max(1),
        "probabilities": pa.MapArray.from_arrays(
            pa.array(np.arange(rows + 1, dtype=np.int32) * len(LABELS)),
            pa.array(list(LABELS) * rows),
            pa.array(shares.ravel()),
        ),
        "picture": pa.nulls(rows, pa.string()),
        **{name: random.normal(0.4, 0.1, rows) for name in ("brightness", "contrast", "sharpness")},
        **{name: np.full(rows, 300) for name in ("width", "height")},
        "projection": list(random.normal(size=(rows, PROJECTIONS))),
        "milliseconds": random.gamma(9, 2, rows),
    }
    return pa.table({name: columns[name] for name in kind.schema.names}).cast(kind.schema)


def write_loose(storage: Storage, records: int) -> None:
    """Write feedback records as the backend does, on the days in turn."""
    table = make_table(FEEDBACK, records, NOW).to_pylist()
    feedback = (
        Feedback.model_validate(
            {
                **row,
                "id": f"new-{row['id']}",
                "answered": row["answered"] - timedelta(days=number % DAYS),
                "probabilities": dict(row["probabilities"]),
            }
        )
        for number, row in enumerate(table)
    )
    write: Callable[[Feedback], str] = lambda record: storage.write(record.name, record.model_dump_json().encode())  # noqa: E731
    for _ in in_threads(write, feedback):
        pass


def publish_reference(storage: Storage) -> None:
    """Publish a version with a reference of a thousand test pictures."""
    table = make_table(PREDICTIONS, 1000, NOW)
    shares = pd.DataFrame([dict(row) for row in table["probabilities"].to_pylist()]).add_prefix("p_")
    projections = pd.DataFrame(table["projection"].to_pylist()).add_prefix("projection_")
    plain = table.drop_columns(["id", "time", "version", "milliseconds", "probabilities", "projection"]).to_pandas()
    reference = pd.concat([plain, shares, projections], axis=1).assign(target=plain["prediction"])
    file = BytesIO()
    reference.to_parquet(file, index=False)
    spec = InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    publish(storage, "r1", LABELS, spec, {registry.REFERENCE: file.getvalue()}, created=NOW - timedelta(days=30))
