"""Tables of records: as Parquet, filtered by version, sampled at random, and as data frames for statistics."""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from animals.errors import BrokenRecords
from animals.records import Card, probability_columns, projection_columns

BATCH_ROWS: Final = 10_000

SAMPLE_ROWS: Final = 5000
"""Rows used by statistical tests and plots, at most: more would change little and take longer."""


def to_parquet(table: pa.Table) -> bytes:
    """Return a table as the content of a Parquet file."""
    file = BytesIO()
    pq.write_table(table, file, compression="zstd", row_group_size=BATCH_ROWS)
    return file.getvalue()


def read_batches(name: str, data: bytes, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of the Parquet file with this name and content as tables of at most `BATCH_ROWS` rows."""
    try:
        file = pq.ParquetFile(BytesIO(data))
        if different := sorted(set(file.schema_arrow.names) ^ set(schema.names)):
            raise BrokenRecords(
                f"{name} was written by another version of animals: it differs in the columns {', '.join(different)}. "
                "Make reports with the version that wrote it."
            )
        for batch in file.iter_batches(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).select(schema.names).cast(schema)
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BrokenRecords(
            f"{name} cannot be read: {reason} Restore it, or delete it if the records of that day may be lost."
        ) from error


def merge(stored: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    """Return a table with additional rows, sorted by id, with only the latest row of each id.

    Of two rows with the same time the additional one counts: its object was stored later.
    """
    table = pa.concat_tables([stored, pa.Table.from_pylist(rows, stored.schema)])
    index = pa.array(np.arange(table.num_rows))
    order = pa.table({"id": table["id"], "time": table["time"], "index": index}).sort_by(
        [("id", "ascending"), ("time", "ascending"), ("index", "ascending")]
    )
    ids = order["id"].combine_chunks()
    last = np.ones(len(ids), bool)
    if len(ids) > 1:
        last[:-1] = pc.not_equal(ids[:-1], ids[1:]).to_numpy(zero_copy_only=False)
    return table.take(order["index"].filter(pa.array(last))).combine_chunks()


class Sample:
    """A random sample of the rows of several tables; every row has the same probability.

    The same tables in the same order give the same sample.
    """

    def __init__(self, schema: pa.Schema, size: int = SAMPLE_ROWS) -> None:
        self.table = schema.empty_table()
        self.seen = 0
        self._size = size
        self._random = np.random.default_rng(0)

    def add(self, table: pa.Table) -> None:
        """Add the rows of a table to those that are sampled."""
        if not table.num_rows:
            return
        size = min(self._size, self.seen + table.num_rows)
        # a draw without replacement from all rows contains this many of the earlier ones
        earlier = int(self._random.hypergeometric(self.seen, table.num_rows, size))
        self.table = pa.concat_tables([self._draw(self.table, earlier), self._draw(table, size - earlier)])
        self.seen += table.num_rows

    def _draw(self, table: pa.Table, count: int) -> pa.Table:
        return table.take(np.sort(self._random.choice(table.num_rows, count, replace=False)))


def of_version(table: pa.Table, version: str) -> pa.Table:
    """Return the rows whose prediction is by this version."""
    return table.filter(pc.equal(table["version"], version))


def is_valid(table: pa.Table, card: Card) -> pa.Array:
    """Return for each row whether it has a probability for each label of the version, and no other labels."""
    labels = pa.array(card.labels)
    mask = _has_all_probabilities(table, labels)
    for name in ("prediction", "label"):
        if name in table.column_names:
            mask = pc.and_(mask, pc.is_in(table[name].combine_chunks(), labels))
    return mask


def _has_all_probabilities(table: pa.Table, labels: pa.Array) -> pa.Array:
    # counts known keys, which are unique in a row: a lookup of each label takes ten times as long
    probabilities = table["probabilities"].combine_chunks()
    known = pc.is_in(probabilities.keys, labels).to_numpy(zero_copy_only=False)
    total = np.concatenate([[0], np.cumsum(known)])
    first = probabilities.offsets.to_numpy()
    return pa.array(total[first[1:]] - total[first[:-1]] == len(labels))


def to_frame(table: pa.Table, labels: Sequence[str]) -> pd.DataFrame:
    """Return the rows with a column for each probability and dimension, as in `reference.parquet`."""
    columns = {name: table[name] for name in table.column_names if name not in ("probabilities", "projection")}
    probabilities = table["probabilities"].combine_chunks()
    shares = probability_columns({label: pc.map_lookup(probabilities, label, "first") for label in labels})
    frame: pd.DataFrame = pa.table({**columns, **shares}).to_pandas()
    if "projection" in table.column_names:
        projections = pd.DataFrame(table["projection"].to_pylist(), index=frame.index, dtype=float)
        frame[list(projection_columns(projections.columns))] = projections
    return frame
