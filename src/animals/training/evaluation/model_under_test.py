"""What is examined: a version from the bucket, and the pictures that it was made with."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from animals import registry
from animals.config.compose import read_run_config
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.data.split import sha256_of_test, write_manifest
from animals.errors import BrokenModel, DataError
from animals.records import Card
from animals.storage import Storage
from animals.training.evaluation.predictors import Ask, ask_onnx

CURRENT: Final = "current"
"""Stands for the version that serves."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A version that answers."""

    card: Card
    ask: Ask
    data_set: DataSet


def find_card(storage: Storage, version: str) -> Card:
    """The card of a version, or of the one that serves for `CURRENT`.

    Raises:
        NoModel: the bucket does not have that version, or none serves.
        BrokenModel: the card or the pointer cannot be read.
    """
    return registry.read_card(storage, registry.read_current(storage).version if version == CURRENT else version)


def load_subject(storage: Storage, card: Card) -> Subject:
    """Fetch a version's ONNX file and read its pictures.

    Raises:
        BrokenModel: the file cannot be run, or the card's configuration cannot be understood.
        DataError: the pictures are not there, or not those that the version was made with.
    """
    data_set = load_data_set(read_run_config(card).data, card.input)
    _check_manifest(card, data_set)
    try:
        ask = ask_onnx(registry.read_file(storage, card, card.serving_file), card.input)
    except BrokenModel as error:
        made_with = card.packages.get("onnxruntime", "unknown")
        raise BrokenModel(
            f"The ONNX file of {card.version} cannot be used: {error} It was checked with onnxruntime {made_with}."
        ) from error
    return Subject(card, ask, data_set)


def _check_manifest(card: Card, data_set: DataSet) -> None:
    if card.split.test_sha256 == sha256_of_test(data_set.manifest):
        return  # what it was trained on besides may have changed, with the feedback that came since
    with TemporaryDirectory() as folder:
        found = write_manifest(Path(folder) / "manifest.csv", data_set.run_manifest)
    if found != card.split.manifest_sha256:
        raise DataError(
            f"The pictures in {data_set.root} changed since {card.version} was made with them: its split manifest is "
            f"{card.split.manifest_sha256[:12]} with {_counted(card.split.counts)}, now it is {found[:12]} with "
            f"{_counted(data_set.counts())}. Bring the pictures back as they were, or train again."
        )


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {split}" for split, count in counts.items())
