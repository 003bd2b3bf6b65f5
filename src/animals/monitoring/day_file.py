"""One day's records as Parquet: written whole, read some rows at a time."""

import contextlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from animals.errors import BrokenRecords

BATCH: Final = 10_000
"""Rows that are looked at at once."""


def encode(table: pa.Table) -> bytes:
    """The content of the file that holds the table."""
    file = BytesIO()
    pq.write_table(table, file, compression="zstd", row_group_size=BATCH)
    return file.getvalue()


def decode(name: str, data: bytes, schema: pa.Schema) -> Iterator[pa.Table]:
    """The tables, of at most `BATCH` rows each, that such a file is made of.

    Columns that were not there yet when it was written are empty.

    Args:
        name: of the object, for the error.
        data: its content.
        schema: that the tables shall have.

    Raises:
        BrokenRecords: it is no Parquet file, or has other columns.
    """
    with _readable(name):
        file = pq.ParquetFile(BytesIO(data))
        if unknown := sorted(set(file.schema_arrow.names) - set(schema.names)):
            raise BrokenRecords(
                f"{name} has columns that this version of animals does not know: {', '.join(unknown)}. "
                "Report with the version that wrote it, or a later one."
            )
        for batch in file.iter_batches(BATCH):
            table = pa.Table.from_batches([batch])
            yield pa.concat_tables([schema.empty_table(), table], promote_options="default")


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BrokenRecords(
            f"{name} cannot be read: {reason} Restore it, or delete it if the records of that day may be lost."
        ) from error


def merge(before: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    """The table with these rows too, in the order of their ids: for each id the latest one.

    Of two of the same second the new row wins, since what is loose was stored after what is compacted.
    """
    table = pa.concat_tables([before, pa.Table.from_pylist(rows, before.schema)])
    places = pa.array(np.arange(table.num_rows))
    order = pa.table({"id": table["id"], "time": table["time"], "place": places}).sort_by(
        [("id", "ascending"), ("time", "ascending"), ("place", "ascending")]
    )
    ids = order["id"].combine_chunks()
    last = np.ones(len(ids), bool)
    if len(ids) > 1:
        last[:-1] = pa.compute.not_equal(ids[:-1], ids[1:]).to_numpy(zero_copy_only=False)
    return table.take(order["place"].filter(pa.array(last))).combine_chunks()
