"""The confidence below which a prediction counts as none of the labels."""

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from animals.config.data import DataConfig
from animals.data.load import load_data_set
from animals.errors import ConfigError, DataError
from animals.records import Rejection
from animals.training.evaluation import unknowns
from animals.training.evaluation.unknowns import check_unknowns_folder, choose_threshold, measure_unknowns
from animals.training.export.model_card import format_model_card
from animals.training.pipeline import train
from tests.support.pictures import COLORS, write_picture
from tests.training.conftest import Trained, tiny_config


def measure(trained: Trained, folder: str = "") -> Rejection:
    """Measure with the model in 32 bits."""
    config = trained.config
    data_set = load_data_set(config.data, trained.card.input)
    data = DataConfig(root=config.data.root, unknowns=folder)
    model = trained.run / "version" / "model.onnx"
    return measure_unknowns(model, data_set, data, config.trainer, temperature=trained.card.temperature)


def test_at_least_95_of_100_validation_pictures_reach_the_threshold() -> None:
    val = np.arange(1, 101) / 100
    rejection = choose_threshold(
        val, test=np.array([0.02, 0.05, 0.5, 0.9]), unknowns=np.array([0.01, 0.04, 0.05]), source="x"
    )
    assert rejection.threshold == 0.05
    assert (val >= rejection.threshold).mean() == 0.96
    assert rejection.accepted == 0.75
    assert rejection.refused == pytest.approx(2 / 3)
    assert (rejection.pictures, rejection.others) == (4, 3)


def test_a_published_version_is_measured_on_generated_scenes(trained: Trained) -> None:
    rejection = trained.card.rejection
    assert (rejection.pictures, rejection.others) == (6, 200)
    assert f"| None of the labels | below {rejection.threshold:.1%} confidence: " in format_model_card(trained.card)


def test_the_shares_are_those_of_the_exported_model_with_its_temperature(trained: Trained) -> None:
    rejection = measure(trained)
    confidence = pd.read_parquet(trained.run / "version" / "reference.parquet")["confidence"]
    assert rejection.accepted == (confidence >= rejection.threshold - 1e-4).mean()
    assert 1 / 3 < rejection.threshold < 1


def test_pictures_of_a_label_are_not_taken_for_unknowns(
    trained: Trained, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        write_picture(tmp_path / "within" / f"{number}.jpg", COLORS["red"], seed=5000 + number)
    (tmp_path / "notes.txt").write_text("no picture", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        rejection = measure(trained, str(tmp_path))
    assert rejection.others == 20
    assert rejection.refused < 0.5
    assert rejection.source == f"those in {tmp_path}"
    assert "notes.txt is left out" in caplog.text


def test_of_many_unknowns_the_same_ones_are_used_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(8):
        write_picture(tmp_path / f"{number}.jpg", (30 * number, 0, 0), seed=number)
    monkeypatch.setattr(unknowns, "MOST", 3)
    first, again = (list(unknowns._read_folder(str(tmp_path), unknowns._SMALL)) for _ in range(2))
    assert len(first) == 3
    np.testing.assert_array_equal(first, again)


def test_a_folder_without_a_picture_is_refused_before_training(pictures: Path, tmp_path: Path) -> None:
    config = tiny_config(pictures, tmp_path)
    config.data.unknowns = str(tmp_path / "others")
    (tmp_path / "others").mkdir()
    (tmp_path / "others" / "notes.txt").write_text("no picture", encoding="utf-8")
    with pytest.raises(DataError, match="no file there is a readable picture"):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "checkpoints").exists()
    check_unknowns_folder("")


def test_a_missing_folder_is_refused_before_anything_is_read(pictures: Path) -> None:
    with pytest.raises(ConfigError, match=r"data\.unknowns=nowhere is no folder"):
        DataConfig(root=str(pictures), unknowns="nowhere").check_sources()
