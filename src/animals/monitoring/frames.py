"""From the tables of compaction to those that are compared: of one version, with the columns of its reference."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from animals.records import Card, probability_columns, projection_columns


def of_version(table: pa.Table, version: str) -> pa.Table:
    """The rows that this version answered."""
    return table.filter(pc.equal(table["version"], version))


def usable(table: pa.Table, card: Card) -> pa.Array:
    """For each row of a version, whether it names only labels of the version, and a probability for each of them."""
    known = pa.array(card.labels)
    mask = _complete(table, known)
    for name in ("prediction", "label"):
        if name in table.column_names:
            mask = pc.and_(mask, pc.is_in(table[name].combine_chunks(), known))
    return mask


def _complete(table: pa.Table, labels: pa.Array) -> pa.Array:
    """Whether all labels are among the keys, which are all different. To look each label up takes ten times as long."""
    shares = table["probabilities"].combine_chunks()
    among = np.concatenate([[0], np.cumsum(pc.is_in(shares.keys, labels).to_numpy(zero_copy_only=False))])
    first = shares.offsets.to_numpy()
    return pa.array(among[first[1:]] - among[first[:-1]] == len(labels))


def to_frame(table: pa.Table, labels: Sequence[str]) -> pd.DataFrame:
    """The rows with the columns of `Feedback.row` or `LoggedPrediction.row`."""
    plain = [name for name in table.column_names if name not in ("probabilities", "projection")]
    shares = probability_columns({label: _share(table, label) for label in labels})
    frame: pd.DataFrame = pa.table({**{name: table[name] for name in plain}, **shares}).to_pandas()
    if "projection" in table.column_names:
        projections = pd.DataFrame(table["projection"].to_pylist(), index=frame.index, dtype=float)
        names = list(projection_columns(projections.columns))
        frame[names] = projections
    return frame


def _share(table: pa.Table, label: str) -> pa.Array:
    shares = table["probabilities"].combine_chunks()
    return pc.map_lookup(shares, label, "first")
