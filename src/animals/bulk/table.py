"""The table of predictions: part files while the command runs, one Parquet file at its end.

```
predictions.parquet              all rows, written at once when every picture is done
predictions.parquet.parts/       rows so far; removed at the end
```
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from animals.bulk.work import Row
from animals.errors import ConfigError, StorageUnavailable
from animals.files import atomic_write
from animals.records import Card, probability_columns

PARTS: Final = ".parts"


class Predictions:
    """A table on the disk that one process at a time adds rows to; used as `with Predictions(…) as predictions`.

    Raises:
        ConfigError: the file is no table of this model's predictions, or another process adds to it.
        StorageUnavailable: the disk cannot be read or written.
    """

    def __init__(self, out: Path, card: Card) -> None:
        self.done: frozenset[str] = frozenset()
        """Pictures that have a prediction; those with a problem are tried again."""
        self._out = out
        self._card = card
        self._schema = _schema(card)
        self._parts = out.with_name(out.name + PARTS)
        self._lock = FileLock(self._parts / ".lock", timeout=0)

    def __enter__(self) -> Self:
        if self._out.is_dir():
            raise ConfigError(f"{self._out} is a folder; expected a file's name, such as {self._out}.parquet.")
        with self._writing():
            self._parts.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire()
            except Timeout as error:
                raise ConfigError(
                    f"Another process writes {self._out}. Wait for it or choose another --out."
                ) from error
        try:
            self.done = frozenset(name for file in self._files() for name in self._predicted(file))
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def add(self, rows: Sequence[Row]) -> None:
        """Save some rows durably in a part file of their own."""
        number = len(list(self._parts.glob("*.parquet")))
        self._write(self._parts / f"{number:08}.parquet", _table(rows, self._card, self._schema))

    def finish(self) -> int:
        """Write the table, sorted by the pictures' names, and remove its parts; return how many have no prediction."""
        table = _newest(pa.concat_tables(map(self._read, self._files())))
        self._write(self._out, table)
        shutil.rmtree(self._parts, ignore_errors=True)  # which holds the lock: some systems keep that file
        return int(table["prediction"].null_count)

    def _files(self) -> list[Path]:
        """Return the finished table, if there is one, and the parts, the oldest first."""
        return [self._out] * self._out.exists() + sorted(self._parts.glob("*.parquet"))

    def _predicted(self, file: Path) -> list[str]:
        table = self._read(file)
        if others := set(table["model_version"].unique().to_pylist()) - {self._card.version}:
            raise ConfigError(
                f"{self._out} holds predictions of version {min(others)}, not of {self._card.version}. "
                f"Give --version {min(others)}, or choose another --out."
            )
        predicted: list[str] = table["picture"].filter(table["prediction"].is_valid()).to_pylist()
        return predicted

    def _read(self, file: Path) -> pa.Table:
        try:
            table = pq.read_table(file)
        except (pa.ArrowException, OSError) as error:
            raise ConfigError(
                f"{file} cannot be read as Parquet: {error}. Delete it or choose another --out."
            ) from error
        if not {"picture", "prediction", "model_version"} <= set(table.column_names):
            raise ConfigError(f"{file} is no table of predictions of this command. Choose another --out.")
        return table

    def _write(self, file: Path, table: pa.Table) -> None:
        """Write the whole file or nothing, and wait until it is on the disk."""
        with self._writing(), atomic_write(file) as temporary, temporary.open("wb") as target:
            pq.write_table(table, target)
            target.flush()
            os.fsync(target.fileno())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StorageUnavailable(f"{self._out} cannot be written: {error.strerror or error}.") from error


def _schema(card: Card) -> pa.Schema:
    probabilities = probability_columns(dict.fromkeys(card.labels, pa.float32()))
    return pa.schema(
        {
            "picture": pa.string(),
            "prediction": pa.string(),
            "confidence": pa.float32(),
            **probabilities,
            "model_version": pa.string(),
            "problem": pa.string(),
        }
    )


def _table(rows: Sequence[Row], card: Card, schema: pa.Schema) -> pa.Table:
    probabilities = np.array([row.probabilities or [np.nan] * len(card.labels) for row in rows])
    missing = np.isnan(probabilities[:, 0])
    best = probabilities.argmax(1)
    columns = {
        "picture": [row.picture for row in rows],
        "prediction": [None if none else card.labels[index] for index, none in zip(best, missing, strict=True)],
        "confidence": pa.array(probabilities.max(1), pa.float32(), mask=missing),
        **probability_columns(
            {
                label: pa.array(column, pa.float32(), mask=missing)
                for label, column in zip(card.labels, probabilities.T, strict=True)
            }
        ),
        "model_version": [card.version] * len(rows),
        "problem": [row.problem for row in rows],
    }
    return pa.table(columns, schema)


def _newest(table: pa.Table) -> pa.Table:
    """Return the last row of each picture, sorted by the pictures' names."""
    numbered = table.append_column("row", pa.array(np.arange(table.num_rows)))
    last = numbered.group_by("picture").aggregate([("row", "max")]).sort_by("picture")
    return table.take(last["row_max"]).combine_chunks()
