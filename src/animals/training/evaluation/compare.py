"""Comparison of two versions, picture by picture."""

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
class Baseline:
    """The version to compare with, by the predictions that it made when it was published."""

    version: str
    correct: NDArray[np.bool_]
    """For each test picture in the manifest's order."""


def find_baseline(storage: Storage, card: Card, against: str | None) -> Baseline | str:
    """Return the version to compare with, or the reason why there is none.

    Args:
        storage: the bucket.
        card: of the version that is evaluated.
        against: the version to compare with; None: the one that serves, if it can be compared.

    Raises:
        NoModel: the bucket does not have the version asked for.
        BrokenModel: a card or the table of predictions cannot be read.
        UsageError: the version asked for is the same, or was made with other pictures.
    """
    if against is not None:
        return read_baseline(storage, card, find_card(storage, against))
    try:
        serving = find_card(storage, CURRENT)
        if serving.version == card.version:
            return "It is the version that serves. To compare it with another: --against VERSION."
        return read_baseline(storage, card, serving)
    except NoModel:
        return "No version serves that it could be compared with."
    except DataError as error:
        return str(error)


def read_baseline(storage: Storage, card: Card, other: Card) -> Baseline:
    """Read the predictions of another version.

    Raises:
        BrokenModel: the table of its predictions is missing or was changed.
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
    return Baseline(other.version, correct_predictions(storage, other))


def correct_predictions(storage: Storage, card: Card) -> NDArray[np.bool_]:
    """Return which test pictures, in the manifest's order, a version labelled correctly when it was made.

    Raises:
        BrokenModel: the table of its predictions is missing or was changed.
    """
    table = pd.read_parquet(BytesIO(registry.read_file(storage, card, registry.REFERENCE)))
    return (table["prediction"] == table["target"]).to_numpy()


def compare(correct: NDArray[np.bool_], baseline: Baseline) -> Comparison:
    """Compare two versions by the pictures that only one of them labels correctly.

    Args:
        correct: of the version that is evaluated, shape (pictures,).
        baseline: on the same pictures.
    """
    only_this, only_other = int((correct & ~baseline.correct).sum()), int((baseline.correct & ~correct).sum())
    p_value = p_mcnemar(only_this, only_other)
    return Comparison(
        against=baseline.version,
        only_this=only_this,
        only_other=only_other,
        p_value=p_value,
        verdict="no difference" if p_value >= SIGNIFICANT else "better" if only_this > only_other else "worse",
    )
