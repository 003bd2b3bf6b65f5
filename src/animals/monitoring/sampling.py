"""Rows drawn at random from more than fit in memory."""

from typing import Final

import numpy as np
import pyarrow as pa

SAMPLE: Final = 5000
"""Rows that tests and plots are made of, at most: they need no more, and so do not slow down as the data grow."""


class Sample:
    """Takes tables one after the other and keeps so many of their rows, each row with the same chance.

    The same tables in the same order give the same sample.

    Args:
        schema: of the tables.
        size: rows that are kept.
    """

    def __init__(self, schema: pa.Schema, size: int = SAMPLE) -> None:
        self.table = schema.empty_table()
        self.seen = 0
        self._size = size
        self._random = np.random.default_rng(0)

    def add(self, table: pa.Table) -> None:
        """Let these rows take part."""
        if not table.num_rows:
            return
        kept = min(self._size, self.seen + table.num_rows)
        # how many of the rows that were seen before are among so many drawn from all
        before = int(self._random.hypergeometric(self.seen, table.num_rows, kept))
        self.table = pa.concat_tables([self._some(self.table, before), self._some(table, kept - before)])
        self.seen += table.num_rows

    def _some(self, table: pa.Table, count: int) -> pa.Table:
        return table.take(np.sort(self._random.choice(table.num_rows, count, replace=False)))
