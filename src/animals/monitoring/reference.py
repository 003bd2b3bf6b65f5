"""The reference of a version: its predictions for the test pictures."""

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
    """A version's predictions for the test pictures."""

    card: Card
    table: pd.DataFrame
    """The version's `reference.parquet`."""

    @property
    def accuracy(self) -> float:
        """Accuracy on the test pictures."""
        return float((self.table["target"] == self.table["prediction"]).mean())


def read_reference(storage: Storage, version: str | None = None) -> Reference:
    """Read the reference of a version, by default of the served one; an unusable one is a BrokenModel."""
    card = registry.read_card(storage, version or registry.read_current(storage).version)
    name = registry.file_name(card.version, registry.REFERENCE)
    data = registry.read_file(storage, card, registry.REFERENCE)
    try:
        table = pd.read_parquet(BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise BrokenModel(f"{name} in {storage.url} is not a Parquet file. Publish the run again.") from error
    expected = {"target", "prediction", "confidence", *probability_columns(dict.fromkeys(card.labels))}
    if missing := sorted(expected - set(table.columns)):
        raise BrokenModel(f"{name} in {storage.url} has no column {', '.join(missing)}. Publish the run again.")
    if table.empty:
        raise BrokenModel(f"{name} in {storage.url} has no rows; expected one for each test picture.")
    return Reference(card, table)
