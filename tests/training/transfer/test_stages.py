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
from tests.support.pictures import COLORS, write_label_folders, write_picture
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
    assert cached(config.data) == [sum(counts.values())]
    for label, color in COLORS.items():
        for number in range(3):
            write_picture(pictures / label / f"new-{number}.jpg", color, seed=9000 + number)
    try:
        second = train(config, Path(config.data.cache_dir).parent / "runs" / "second")
    finally:
        for path in pictures.rglob("new-*.jpg"):
            path.unlink()
    assert second
    assert cached(config.data) == [9, sum(counts.values())]


def test_a_budget_that_is_too_short_for_a_head_is_refused_before_any_feature(
    config: TrainConfig, tmp_path: Path
) -> None:
    short = replace(
        config, trainer=replace(config.trainer, minutes=0.05), data=replace(config.data, cache_dir=str(tmp_path))
    )
    with pytest.raises(ConfigError, match=r"trainer\.minutes is too short for a head: .* Allow at least"):
        train(short, tmp_path / "run")
    assert not list(tmp_path.glob("features-*/*.npz"))


def test_pictures_from_elsewhere_are_tested_and_other_labels_left_out(
    config: TrainConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    elsewhere = write_label_folders(tmp_path / "elsewhere", per_label=2)
    write_picture(elsewhere / "violet" / "1.jpg", (120, 0, 200), seed=1)
    result = train(replace(config, data=replace(config.data, external_test=str(elsewhere))), tmp_path / "run")
    assert result
    assert result.external_test
    assert (result.external_test.pictures, result.external_test.accuracy) == (6, 1.0)
    assert "violet are left out" in caplog.text
    assert f"| On `{elsewhere}` | 100.0% of 6 pictures" in (tmp_path / "run/version/README.md").read_text("utf-8")


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
