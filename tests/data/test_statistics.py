"""Mean and standard deviation are those of the training pictures, and end up where pixels are normalized."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from animals.config.data import DataConfig
from animals.config.training import ModelConfig, TrainConfig
from animals.data import statistics
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.data.statistics import pixel_statistics, standardize, write_statistics
from animals.preprocess import InputSpec, open_picture, preprocess, to_pixels
from tests.support.pictures import write_label_folders

SPEC = InputSpec(side=16, mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6))


@pytest.fixture
def config(tmp_path: Path) -> TrainConfig:
    root = write_label_folders(tmp_path / "pictures", per_label=10)
    return TrainConfig(data=DataConfig(root=str(root), cache_dir=str(tmp_path / "cache"), workers=0))


def load(config: TrainConfig) -> DataSet:
    return load_data_set(config.data, SPEC)


def training_pixels(data_set: DataSet) -> np.ndarray:
    names = [row.name for row in data_set.manifest if row.split == "train"]
    return np.stack([to_pixels(open_picture(data_set.root / name), SPEC) for name in names]) / 255


@pytest.mark.parametrize("block", [1, 5000, statistics.BLOCK])
def test_they_are_those_of_all_training_pixels_together(
    block: int, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "BLOCK", block)
    data_set = load(config)
    computed = pixel_statistics(data_set, workers=0)
    pixels = training_pixels(data_set)
    np.testing.assert_allclose(computed.mean, pixels.mean(axis=(0, 1, 2)), atol=1e-6)
    np.testing.assert_allclose(computed.std, pixels.std(axis=(0, 1, 2)), atol=1e-6)


@pytest.mark.parametrize("workers", [0, 2])
def test_without_the_cache_they_are_exactly_the_same(
    workers: int, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached = pixel_statistics(load(config), workers=0)
    config.data.cache = False
    monkeypatch.setattr(statistics, "CHUNK", 7)
    assert pixel_statistics(load(config), workers=workers) == cached


def test_a_channel_that_does_not_vary_divides_by_one_grey_level(tmp_path: Path) -> None:
    for index, label in enumerate("ab"):
        (tmp_path / label).mkdir()
        for number in range(10):
            Image.new("RGB", (20, 20), (number * 20 + index, 128, 0)).save(tmp_path / label / f"{number}.png")
    data_set = load_data_set(DataConfig(root=str(tmp_path), cache=False, workers=0), SPEC)
    computed = pixel_statistics(data_set, workers=0)
    assert computed.std[1:] == (round(1 / 255, 6), round(1 / 255, 6))
    assert computed.mean[1:] == (round(128 / 255, 6), 0.0)
    spec = InputSpec(side=16, mean=computed.mean, std=computed.std)
    normalized = preprocess(Image.new("RGB", (20, 20), (90, 128, 0)), spec)
    assert np.isfinite(normalized).all()
    assert abs(normalized[1:]).max() < 0.01


@pytest.mark.parametrize(
    ("choice", "pretrained", "own"),
    [("auto", False, True), ("auto", True, False), ("data", True, True), ("model", False, False)],
)
def test_the_configuration_chooses_whose_they_are(
    choice: str, pretrained: bool, own: bool, config: TrainConfig, tmp_path: Path
) -> None:
    config.data.statistics = choice
    config.model = ModelConfig(pretrained=pretrained)
    data_set = standardize(load(config), config.data, config.model)
    computed = pixel_statistics(data_set, workers=0)
    expected = (computed.mean, computed.std) if own else (SPEC.mean, SPEC.std)
    assert (data_set.spec.mean, data_set.spec.std) == expected
    assert data_set.spec.side == SPEC.side
    write_statistics(tmp_path / "statistics.json", data_set, config.data, config.model)
    assert json.loads((tmp_path / "statistics.json").read_text(encoding="utf-8")) == {
        "statistics": "data" if own else "model",
        "mean": list(expected[0]),
        "std": list(expected[1]),
    }


def test_the_command_shows_counts_and_lines_to_paste(
    config: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    statistics.main(
        [
            "experiment=folder",
            "method=full",
            "data.root=pictures",
            "data.side=16",
            "data.resize=center",
            "data.workers=0",
        ]
    )
    *table, mean, std = capsys.readouterr().out.splitlines()
    counts = [line.replace("│", " ").split() for line in table]
    assert ["blue", "8", "1", "1", "10"] in counts
    assert ["All", "24", "3", "3", "30"] in counts
    computed = pixel_statistics(load(config), workers=0)
    assert mean == "mean: [" + ", ".join(f"{value:.4f}" for value in computed.mean) + "]"
    assert std == "std: [" + ", ".join(f"{value:.4f}" for value in computed.std) + "]"
