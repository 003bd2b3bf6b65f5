"""The model that is evaluated: a version from the bucket, and the pictures that it was made with."""

from dataclasses import dataclass, replace
from typing import Final

from animals import registry
from animals.config.compose import read_run_config
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.data.split import sha256_of_test
from animals.errors import BrokenModel, DataError
from animals.records import Card
from animals.storage import Storage
from animals.training.evaluation.metrics import Evaluation, evaluate
from animals.training.evaluation.predictors import BATCH, Predict, onnx_predictor

CURRENT: Final = "current"
"""The version that serves."""


@dataclass(frozen=True, slots=True)
class ModelUnderTest:
    """A published version, ready to predict."""

    card: Card
    predict: Predict
    data_set: DataSet


def find_card(storage: Storage, version: str) -> Card:
    """Read the card of a version, or with `CURRENT` of the one that serves.

    Raises:
        NoModel: the bucket does not have that version, or none serves.
        BrokenModel: the card or the pointer cannot be read.
    """
    return registry.read_card(storage, registry.read_current(storage).version if version == CURRENT else version)


def load_model_under_test(storage: Storage, card: Card) -> ModelUnderTest:
    """Download a version's ONNX file and read its pictures.

    Raises:
        BrokenModel: the file cannot be run, or the card's configuration cannot be understood.
        DataError: the pictures are missing, or are not those that the version was made with.
    """
    data_set = load_data_set(read_run_config(card).data, card.input)
    check_test_split(card, data_set)
    try:
        predict = onnx_predictor(registry.read_file(storage, card, card.serving_file), card.input)
    except BrokenModel as error:
        made_with = card.packages.get("onnxruntime", "unknown")
        raise BrokenModel(
            f"The ONNX file of {card.version} cannot be used: {error} It was checked with onnxruntime {made_with}."
        ) from error
    return ModelUnderTest(card, predict, data_set)


def predict_test_split(model: ModelUnderTest) -> Evaluation:
    """Return the version's predictions for its test pictures."""
    evaluation = evaluate(model.predict, model.data_set, "test", batch_size=BATCH, workers=-1)
    return replace(evaluation, temperature=model.card.temperature)


def check_test_split(card: Card, data_set: DataSet) -> None:
    """Raise where the test pictures are others; training pictures may have come since, from feedback."""
    if sha256_of_test(data_set.manifest) != card.split.test_sha256:
        raise DataError(
            f"The pictures in {data_set.root} changed since {card.version} was made with them: it has "
            f"{_format_counts(card.split.counts)}, now there are {_format_counts(data_set.counts())}, and the test "
            "pictures are not the same. Restore the pictures, or train again."
        )


def _format_counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {split}" for split, count in counts.items())
