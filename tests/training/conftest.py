"""A run of the whole pipeline on tiny pictures, made once for many tests."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from animals import registry
from animals.config.data import DataConfig
from animals.config.training import ModelConfig, TrackingConfig, TrainConfig, TrainerConfig
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.preprocess import InputSpec
from animals.records import Card
from animals.storage import FolderStorage
from animals.training.evaluation.metrics import Evaluation
from animals.training.pipeline import train
from tests.support.pictures import write_label_folders


def tiny_config(root: Path, folder: Path, *, epochs: int = 3, tracking: str = "disabled", seed: int = 0) -> TrainConfig:
    """A run of seconds: timm's test network on pictures of 32 pixels."""
    return TrainConfig(
        name="tiny",
        seed=seed,
        bucket=str(folder / "bucket"),
        data=DataConfig(root=str(root), side=32, resize="squash", cache_dir=str(folder / "cache"), workers=0),
        model=ModelConfig(name="test_resnet"),
        trainer=TrainerConfig(epochs=epochs, batch_size=8, accelerator="cpu", precision="fp32"),
        tracking=TrackingConfig(mode=tracking),
    )


def published(config: TrainConfig, run: Path) -> Card:
    """Train, and expect a published version."""
    card = train(config, run)
    assert card is not None
    return card


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    config: TrainConfig
    run: Path
    card: Card
    log: str


def files_of(trained: Trained) -> dict[str, bytes]:
    """Return the files of the run's published version."""
    storage = FolderStorage(Path(trained.config.bucket))
    return {file: registry.read_file(storage, trained.card, file) for file in trained.card.files}


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_folders(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def trained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One published run, tracked by W&B offline; tests read it and change nothing."""
    folder = tmp_path_factory.mktemp("trained")
    config = tiny_config(pictures, folder, tracking="offline")
    run = folder / "runs" / "20260101-000000-tiny"
    log = logging.FileHandler(folder / "log.txt")
    logging.getLogger().addHandler(log)
    logging.getLogger("animals").setLevel(logging.INFO)
    try:
        card = published(config, run)
    finally:
        logging.getLogger().removeHandler(log)
        log.close()
    return Trained(config, run, card, (folder / "log.txt").read_text(encoding="utf-8"))


@pytest.fixture
def data_set(pictures: Path, tmp_path: Path) -> DataSet:
    spec = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
    return load_data_set(DataConfig(root=str(pictures), cache_dir=str(tmp_path), workers=0, test=0.5), spec)


@pytest.fixture
def evaluation(data_set: DataSet) -> Evaluation:
    """The first label is predicted for all pictures, with growing confidence: 10 right, 20 wrong."""
    rows = data_set.rows("test")
    logits = np.zeros((len(rows), 3))
    logits[:, 0] = np.linspace(1, 4, len(rows))
    return Evaluation(rows=rows, targets=data_set.targets[rows], logits=logits, features={}, temperature=2.0)
