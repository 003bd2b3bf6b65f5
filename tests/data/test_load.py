"""The data set of a run: found, checked, decoded and split."""

import logging
from pathlib import Path

import numpy as np
import pytest

from animals.config.training import DataConfig
from animals.data.load import load_data_set
from animals.errors import DataError
from animals.preprocess import InputSpec, open_picture, to_pixels
from tests.pictures import write_label_folders

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    root = write_label_folders(tmp_path / "pictures", per_label=10)
    return DataConfig(root=str(root), cache_dir=str(tmp_path / "cache"), workers=0)


def test_labels_are_in_order_and_every_picture_is_in_one_split(config: DataConfig) -> None:
    data_set = load_data_set(config, SPEC)
    assert data_set.labels == ("blue", "green", "red")
    assert data_set.counts() == {"train": 24, "val": 3, "test": 3}
    assert sorted(np.concatenate([data_set.rows(split) for split in ("train", "val", "test")])) == list(range(30))


def test_targets_and_pixels_belong_to_the_manifests_rows(config: DataConfig) -> None:
    root = Path(config.root)
    (root / "blue/000.jpg").write_text("no picture")  # so that rows and places differ
    (root / "blue/new.jpg").write_bytes((root / "blue/001.jpg").read_bytes())
    data_set = load_data_set(config, SPEC)
    assert data_set.pixels is not None
    for row, target, place in zip(data_set.manifest, data_set.targets, data_set.places, strict=True):
        assert data_set.labels[target] == row.label == row.name.split("/")[0]
        np.testing.assert_array_equal(data_set.pixels[place], to_pixels(open_picture(root / row.name), SPEC))


def test_the_split_is_the_same_with_and_without_the_cache(config: DataConfig) -> None:
    cached = load_data_set(config, SPEC)
    config.cache = False
    assert load_data_set(config, SPEC).manifest == cached.manifest
    assert load_data_set(config, SPEC).pixels is None


def test_unreadable_files_are_counted_named_and_left_out(config: DataConfig, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(7):
        (Path(config.root) / f"red/broken-{number}.jpg").write_text("no picture")
    with caplog.at_level(logging.WARNING):
        data_set = load_data_set(config, SPEC)
    assert len(data_set.manifest) == 30
    assert "7 of 37 files are unreadable and left out:\n  red/broken-0.jpg: This is no picture" in caplog.text
    assert "and 2 more" in caplog.text


def test_a_label_without_a_readable_picture_is_an_error(config: DataConfig) -> None:
    for path in (Path(config.root) / "green").iterdir():
        path.write_text("no picture")
    with pytest.raises(DataError, match=r"No file of green in .* is a readable picture"):
        load_data_set(config, SPEC)


def test_the_sample_is_made_where_it_is_missing(tmp_path: Path) -> None:
    config = DataConfig(
        root=str(tmp_path / "sample"), sample=True, sample_per_label=10, cache_dir=str(tmp_path / "cache"), workers=0
    )
    data_set = load_data_set(config, SPEC)
    assert data_set.counts() == {"train": 80, "val": 10, "test": 10}
