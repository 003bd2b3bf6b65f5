"""`animals check-version VERSION`: fetch a published version, and verify that it may serve.

It checks each file against its checksum, the labels against the version that serves, the table of answers against the
card, and the answers of the ONNX file against the table, if the test pictures can be read here.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animals import registry
from animals.config.compose import read_run_config
from animals.errors import BrokenModel, DataError, NoModel, PicturesUnavailable, StorageError
from animals.records import Card, probability_columns
from animals.storage import FolderStorage, Storage

if TYPE_CHECKING:
    import pandas as pd


TOLERANCE: Final = 0.02
"""Difference of a probability from the table's that counts as equal: other CPUs round differently, 8 bits coarsely."""

MAX_DIFFERENT: Final = 0.01
"""Share of the pictures that may differ by more: their pixels lie between two steps of 8 bits."""


def fetch(storage: Storage, version: str, folder: Path) -> Card:
    """Copy a version into a folder, which becomes a bucket in which it serves.

    Raises:
        NoModel: the bucket does not have that version.
        BrokenModel: a file is missing or damaged.
        StorageError: the bucket cannot be reached, or the folder has another version of the same name.
    """
    card = registry.read_card(storage, version)
    files = {file: registry.read_file(storage, card, file) for file in card.files}
    candidate = FolderStorage(folder)
    registry.write_version(candidate, card, files)
    registry.promote(candidate, version, reason=f"fetched from {storage.url} to be checked")
    return card


def verify(storage: Storage, card: Card, folder: Path) -> Iterator[str]:
    """Verify that a fetched version may serve; yield a line for each check that passed or was left out.

    Args:
        storage: the bucket that it came from.
        card: of the version.
        folder: that it was fetched into.

    Raises:
        BrokenModel: the version may not serve.
    """
    candidate = FolderStorage(folder)
    table = _read_table(candidate, card)
    yield f"files       {len(card.files)}, each with the checksum on the card"
    yield _check_labels(storage, card)
    yield _check_table(table, card)
    yield _check_answers(candidate, card, table)


def _read_table(candidate: Storage, card: Card) -> "pd.DataFrame":
    """Return the answers to the test pictures that were recorded at the export, one row per picture."""
    import pandas as pd

    return pd.read_parquet(BytesIO(registry.read_file(candidate, card, registry.REFERENCE)))


def _check_labels(storage: Storage, card: Card) -> str:
    try:
        serving = registry.read_card(storage, registry.read_current(storage).version)
    except NoModel:
        return f"labels      {len(card.labels)}; no version serves yet"
    if other := card.differing_labels(serving):
        raise BrokenModel(
            f"{card.version} has other labels than {serving.version}, which serves ({', '.join(other)}). A running "
            "service would refuse it. If the labels are meant to change, promote the version by hand and restart the "
            "service."
        )
    return f"labels      {len(card.labels)}, the same as those of {serving.version}, which serves"


def _check_table(table: "pd.DataFrame", card: Card) -> str:
    columns = {*probability_columns(dict.fromkeys(card.labels)), "prediction", "target"}
    if len(table) != card.metrics.pictures or not columns <= set(table.columns):
        raise BrokenModel(
            f"{registry.REFERENCE} of {card.version} has {len(table)} rows of {len(table.columns)} columns; expected "
            f"{card.metrics.pictures}, with a probability for each label. Publish the run again."
        )
    accuracy = float((table["prediction"] == table["target"]).mean())
    expected = card.quantized.accuracy if card.quantized.passed else card.metrics.accuracy
    if expected is None or abs(accuracy - expected) > max(0.005, 1.5 / len(table)):
        raise BrokenModel(
            f"{registry.REFERENCE} of {card.version} has an accuracy of {accuracy:.1%}; expected {expected:.1%}, as on "
            "its card. They are not of the same run: publish it again."
        )
    return f"table       {len(table)} test pictures, {accuracy:.1%} right, as on the card"


def _check_answers(candidate: Storage, card: Card, table: "pd.DataFrame") -> str:
    """Compare the answers of the ONNX file with the table.

    Raises:
        BrokenModel: the file cannot be run, or its answers differ.
    """
    import numpy as np

    from animals.training.evaluation.model_under_test import load_model_under_test, predict_test_split

    try:
        model = load_model_under_test(candidate, _without_extra(card))
    except (DataError, PicturesUnavailable, StorageError) as error:
        _check_runs(candidate, card)
        return f"answers     one finite number per label; not compared with the table: {error}"
    with _explain_onnx_errors(card):
        evaluation = predict_test_split(model)
    expected = table.set_index("picture")[list(probability_columns(dict.fromkeys(card.labels)))]
    names = [model.data_set.manifest[row].name for row in evaluation.rows]
    if set(names) != set(expected.index):
        raise BrokenModel(
            f"{registry.REFERENCE} of {card.version} is of other pictures than those that its card names. "
            "Publish the run again."
        )
    differences = np.abs(evaluation.probabilities - expected.loc[names].to_numpy()).max(axis=1)
    different = int((differences > TOLERANCE).sum())
    if different > MAX_DIFFERENT * len(names):
        raise BrokenModel(
            f"{card.serving_file} of {card.version} answers {different} of {len(names)} test pictures differently from "
            f"{registry.REFERENCE}. Publish the run again."
        )
    return f"answers     {len(names) - different} of {len(names)} test pictures as in the table"


def _without_extra(card: Card) -> Card:
    """Return the card without `data.extra`: these pictures were only trained on, and may have been deleted since."""
    config = read_run_config(card)
    config.data.extra = ""
    return card.model_copy(update={"config": asdict(config)})


def _check_runs(candidate: Storage, card: Card) -> None:
    import numpy as np

    from animals.training.evaluation.predictors import onnx_predictor

    pixels = np.random.default_rng(0).integers(0, 256, (8, card.input.side, card.input.side, 3), np.uint8)
    with _explain_onnx_errors(card):
        logits = onnx_predictor(registry.read_file(candidate, card, card.serving_file), card.input)(pixels)
    if logits.shape != (len(pixels), len(card.labels)) or not np.isfinite(logits).all():
        raise BrokenModel(f"{card.serving_file} of {card.version} does not give one finite number for each label.")


@contextmanager
def _explain_onnx_errors(card: Card) -> Iterator[None]:
    from animals.inference import ONNX_ERRORS

    try:
        yield
    except (BrokenModel, *ONNX_ERRORS) as error:
        raise BrokenModel(f"{card.serving_file} of {card.version} cannot be run: {error}") from error
