"""A head on the features of the real pretrained network: from pictures to a published version."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from animals.config.data import DataConfig
from animals.config.training import ModelConfig, TrainConfig
from animals.errors import ConfigError
from animals.records import Card
from animals.training.pipeline import train
from animals.training.transfer.features import FeatureCache
from animals.training.transfer.stages import parse_classes
from animals.training.weights import PACKAGE
from tests.support.pictures import COLORS, write_picture
from tests.training.conftest import tiny_config

SIDE = 32


@pytest.fixture(scope="module")
def config(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainConfig:
    base = tiny_config(pictures, tmp_path_factory.mktemp("transfer"))
    model = ModelConfig(name="tf_efficientnet_lite0", weights=PACKAGE)
    return replace(base, method="transfer", model=model, data=replace(base.data, balance=True))


@pytest.fixture(scope="module")
def card(config: TrainConfig) -> Card:
    result = train(config, Path(config.data.cache_dir).parent / "runs" / "first")
    assert result
    return result


def cached(data: DataConfig) -> list[int]:
    """Pictures in each part of the feature cache."""
    [folder] = [path for path in Path(data.cache_dir).glob("features-*") if path.is_dir()]
    known, features = FeatureCache(folder).read()
    assert len(known) == len(features)
    return sorted(len(np.load(path)["digests"]) for path in folder.glob("*.npz"))


def test_a_head_on_pretrained_features_tells_colours_apart(card: Card) -> None:
    assert card.metrics.accuracy > 0.9
    assert card.training.frozen
    assert card.training.weights
    assert card.training.weights.license == "apache-2.0"
    assert card.architecture == "tf_efficientnet_lite0"


def test_features_are_computed_once_for_each_picture(config: TrainConfig, card: Card, pictures: Path) -> None:
    counts = card.split.counts
    assert cached(config.data) == [counts["train"] + counts["val"]]
    for label, color in COLORS.items():
        for number in range(3):
            write_picture(pictures / label / f"new-{number}.jpg", color, seed=9000 + number)
    try:
        second = train(config, Path(config.data.cache_dir).parent / "runs" / "second")
    finally:
        for path in pictures.rglob("new-*.jpg"):
            path.unlink()
    assert second
    old, new = counts["train"] + counts["val"], second.split.counts["train"] + second.split.counts["val"]
    assert sum(cached(config.data)) <= new + (old - new if old > new else 9)
    assert len(cached(config.data)) == 2


@pytest.mark.parametrize(("text", "classes"), [("339", [339]), ("101, 385-386", [101, 385, 386]), ("7-8", [7, 8])])
def test_classes_of_imagenet_are_numbers_and_ranges(text: str, classes: list[int]) -> None:
    assert parse_classes("horse", text) == classes


@pytest.mark.parametrize("text", ["", "dog", "5-", "999-1000", "-3"])
def test_other_classes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"data\.imagenet\.horse"):
        parse_classes("horse", text)


def test_transfer_needs_pretrained_weights(config: TrainConfig) -> None:
    with pytest.raises(ConfigError, match="needs pretrained weights"):
        replace(config, model=ModelConfig(name="resnet18"))
