"""What the answers of a version are compared with: its own ones to the test pictures."""

from dataclasses import dataclass
from io import BytesIO

import pandas as pd
import pyarrow as pa

from animals import registry
from animals.errors import BrokenModel
from animals.records import Card, probability_columns
from animals.storage import Storage


@dataclass(frozen=True, slots=True)
class Reference:
    """A version's answers to the test pictures."""

    card: Card
    table: pd.DataFrame
    """The version's `reference.parquet`."""

    @property
    def accuracy(self) -> float:
        """Share of the test pictures that it answers rightly."""
        return float((self.table["target"] == self.table["prediction"]).mean())


def read_reference(storage: Storage, version: str | None = None) -> Reference:
    """The reference of a version, by default of the one that serves.

    Raises:
        NoModel: there is no such version, or none that serves.
        BrokenModel: its card or its reference cannot be used.
    """
    card = registry.read_card(storage, version or registry.read_current(storage).version)
    name = registry.file_name(card.version, registry.REFERENCE)
    data = registry.read_file(storage, card, registry.REFERENCE)
    try:
        table = pd.read_parquet(BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise BrokenModel(f"{name} in {storage.url} is no table. Publish the run again.") from error
    needed = {"target", "prediction", "confidence", *probability_columns(dict.fromkeys(card.labels))}
    if missing := sorted(needed - set(table.columns)):
        raise BrokenModel(f"{name} in {storage.url} has no column {', '.join(missing)}. Publish the run again.")
    if table.empty:
        raise BrokenModel(f"{name} in {storage.url} has no row: nothing can be compared with it.")
    return Reference(card, table)
