"""Bring a version here, make its forms and measure them."""

import importlib.metadata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import torch

from animals import registry
from animals.config.compose import read_run_config
from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.records import Card
from animals.storage import Storage
from animals.training.evaluation.model_under_test import load_subject
from animals.training.evaluation.statistics import spread_sample
from animals.training.export.optimize.measure import measure
from animals.training.export.optimize.records import Optimization
from animals.training.export.optimize.variants import FORMS, all_variants
from animals.training.hardware import processor

PACKAGES: Final = ("onnxruntime", "torch", "torch-pruning")
"""Whose versions decide how fast something is."""


def optimize(storage: Storage, card: Card, *, pictures: int, channels: float, epochs: int) -> Optimization:
    """Make and measure all forms of a published version.

    Args:
        storage: the bucket.
        card: of the version.
        pictures: test pictures, at most, that each form answers.
        channels: part of the channels that is pruned.
        epochs: of training after that.

    Raises:
        BrokenModel: a file cannot be used, or the card's configuration cannot be understood.
        DataError: the pictures are not there, or not those that the version was made with.
    """
    config = read_run_config(card)
    data_set = load_subject(storage, card).data_set
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for file in card.files:
            (folder / file).write_bytes(registry.read_file(storage, card, file))
        return _measured(card, folder, data_set, config, pictures=pictures, channels=channels, epochs=epochs)


def _measured(
    card: Card, folder: Path, data_set: DataSet, config: TrainConfig, *, pictures: int, channels: float, epochs: int
) -> Optimization:
    variants, not_made = all_variants(folder, data_set, config, channels=channels, epochs=epochs)
    rows = data_set.rows("test")
    rows = rows[spread_sample(data_set.targets[rows], pictures)]
    with _one_thread():
        measured = measure(variants, data_set.read_pixels(rows), data_set.targets[rows], data_set.spec)
    return Optimization(
        version=card.version,
        architecture=card.architecture,
        side=card.input.side,
        pictures=len(rows),
        processor=processor(),
        packages={name: importlib.metadata.version(name) for name in PACKAGES},
        serving=FORMS[card.serving_file],
        why=card.quantized.reason,
        measured=measured,
        not_made=not_made,
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch use one thread, as the others do, as long as the block lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
