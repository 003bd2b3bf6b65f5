"""Is a version better than another? Both on the same pictures, one by one."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from animals import registry
from animals.errors import DataError, NoModel, UsageError
from animals.records import Card
from animals.storage import Storage
from animals.training.evaluation.model_under_test import CURRENT, find_card
from animals.training.evaluation.records import Comparison
from animals.training.evaluation.statistics import SIGNIFICANT, p_mcnemar


@dataclass(frozen=True, slots=True)
class Rival:
    """Another version, by the answers that it gave when it was made."""

    version: str
    right: NDArray[np.bool_]
    """Of each test picture in the manifest's order."""


def find_rival(storage: Storage, card: Card, against: str | None) -> Rival | str:
    """The version to compare with, or why there is none.

    Args:
        storage: the bucket.
        card: of the version that is examined.
        against: another version; None: the one that serves, if it can be compared.

    Raises:
        NoModel: the bucket does not have the version asked for.
        BrokenModel: a card or the table of answers cannot be read.
        UsageError: the version asked for is the same, or was made with other pictures.
    """
    if against is not None:
        return read_rival(storage, card, find_card(storage, against))
    try:
        serving = find_card(storage, CURRENT)
        if serving.version == card.version:
            return "It is the version that serves. To compare it with another: --against VERSION."
        return read_rival(storage, card, serving)
    except NoModel:
        return "No version serves that it could be compared with."
    except DataError as error:
        return str(error)


def read_rival(storage: Storage, card: Card, other: Card) -> Rival:
    """Another version to compare one with.

    Raises:
        BrokenModel: the table of its answers is missing or was changed.
        DataError: it was made with other pictures.
        UsageError: it is the same version.
    """
    if other.version == card.version:
        raise UsageError(f"{card.version} cannot be compared with itself. Name another version.")
    if card.split.test_sha256 != other.split.test_sha256:
        raise DataError(
            f"{card.version} and {other.version} cannot be compared: they were made with other pictures or splits "
            f"(manifests {card.split.manifest_sha256[:12]} and {other.split.manifest_sha256[:12]}). Train one of them "
            "again on the other's pictures."
        )
    return Rival(other.version, right_answers(storage, other))


def right_answers(storage: Storage, card: Card) -> NDArray[np.bool_]:
    """Of each test picture, in the manifest's order, whether a version had it right when it was made.

    Raises:
        BrokenModel: the table of its answers is missing or was changed.
    """
    table = pd.read_parquet(BytesIO(registry.read_file(storage, card, registry.REFERENCE)))
    return (table["prediction"] == table["target"]).to_numpy()


def compare(right: NDArray[np.bool_], rival: Rival) -> Comparison:
    """Judge by the pictures that only one of two versions has right.

    Args:
        right: of the version that is examined, shape (pictures,).
        rival: on the same pictures.
    """
    only_this, only_other = int((right & ~rival.right).sum()), int((rival.right & ~right).sum())
    p_value = p_mcnemar(only_this, only_other)
    return Comparison(
        against=rival.version,
        only_this=only_this,
        only_other=only_other,
        p_value=p_value,
        verdict="no difference" if p_value >= SIGNIFICANT else "better" if only_this > only_other else "worse",
    )
