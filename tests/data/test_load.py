"""The data set of a run: found, checked, decoded and split."""

import logging
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from animals.config.data import DataConfig
from animals.data.load import inspect_folder, load_data_set
from animals.data.split import sha256_of_test
from animals.errors import DataError
from animals.preprocess import InputSpec, open_picture, to_pixels
from tests.support.pictures import COLORS, scene, write_label_folders, write_picture

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
    (root / "blue/000.jpg").write_text("no picture", encoding="utf-8")  # so that rows and places differ
    write_picture(root / "blue/new.jpg", COLORS["blue"], seed=99)
    data_set = load_data_set(config, SPEC)
    assert data_set.pixels is not None
    for row, target, place in zip(data_set.manifest, data_set.targets, data_set.pixel_rows, strict=True):
        assert data_set.labels[target] == row.label == row.name.split("/")[0]
        np.testing.assert_array_equal(data_set.pixels[place], to_pixels(open_picture(root / row.name), SPEC))


def test_the_split_is_the_same_with_and_without_the_cache(config: DataConfig) -> None:
    cached = load_data_set(config, SPEC)
    config.cache = False
    assert load_data_set(config, SPEC).manifest == cached.manifest
    assert load_data_set(config, SPEC).pixels is None


def test_pixels_of_some_rows_are_the_same_with_and_without_the_cache(config: DataConfig) -> None:
    rows = np.array([17, 2])
    cached = load_data_set(config, SPEC).read_pixels(rows)
    config.cache = False
    np.testing.assert_array_equal(load_data_set(config, SPEC).read_pixels(rows), cached)


def test_unreadable_files_are_counted_named_and_left_out(config: DataConfig, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(7):
        (Path(config.root) / f"red/broken-{number}.jpg").write_text("no picture", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        data_set = load_data_set(config, SPEC)
    assert len(data_set.manifest) == 30
    assert "7 of 37 files are unreadable and left out:\n  red/broken-0.jpg: This is no picture" in caplog.text
    assert "and 2 more" in caplog.text


def test_a_label_without_a_readable_picture_is_an_error(config: DataConfig) -> None:
    for path in (Path(config.root) / "green").iterdir():
        path.write_text("no picture", encoding="utf-8")
    with pytest.raises(DataError, match="has no readable picture of green"):
        load_data_set(config, SPEC)


def test_the_sample_is_made_where_it_is_missing(tmp_path: Path) -> None:
    config = DataConfig(
        root=str(tmp_path / "sample"), sample=True, sample_per_label=10, cache_dir=str(tmp_path / "cache"), workers=0
    )
    data_set = load_data_set(config, SPEC)
    assert data_set.counts() == {"train": 80, "val": 10, "test": 10}


@pytest.mark.parametrize("cache", [True, False])
def test_a_picture_and_its_smaller_copies_are_in_one_split(
    cache: bool, config: DataConfig, caplog: pytest.LogCaptureFixture
) -> None:
    for seed in range(12):
        for factor in (1, 2, 3):
            scene(seed, (120 // factor, 90 // factor)).save(Path(config.root) / f"red/copy-{seed}-{factor}.jpg")
    config.cache = cache
    with caplog.at_level(logging.INFO):
        data_set = load_data_set(config, SPEC)
    splits = {row.name: row.split for row in data_set.manifest if "copy" in row.name}
    assert all(splits[f"red/copy-{seed}-1.jpg"] == splits[f"red/copy-{seed}-3.jpg"] for seed in range(12))
    assert set(splits.values()) == {"train", "val", "test"}
    assert "24 of 66 pictures are duplicates, each" in caplog.text


def test_a_smaller_distance_lets_copies_go_apart(config: DataConfig) -> None:
    config.duplicate_distance = 0
    scene(1).save(Path(config.root) / "red/a.jpg")
    scene(1).crop((2, 2, 120, 90)).save(Path(config.root) / "red/b.jpg")
    inspected = inspect_folder(config, SPEC)
    assert len(set(inspected.groups(0))) == 32
    assert len(set(inspected.groups(50))) == 31


def test_a_picture_under_two_labels_is_warned_of(config: DataConfig, caplog: pytest.LogCaptureFixture) -> None:
    for label in ("red", "blue"):
        scene(1).save(Path(config.root) / label / "same.png")
    with caplog.at_level(logging.WARNING):
        data_set = load_data_set(config, SPEC)
    assert "1 pictures have duplicates under another label" in caplog.text
    assert len({row.split for row in data_set.manifest if "same" in row.name}) == 1


def extra_of(config: DataConfig, folder: Path) -> Path:
    """A second folder: two new pictures of red, and one of blue that the first folder has in test."""
    data_set = load_data_set(config, SPEC)
    measured = next(row for row in data_set.manifest if row.split == "test" and row.label == "blue")
    for number in (1, 2):
        write_picture(folder / "red" / f"{number}.jpg", COLORS["red"], seed=500 + number)
    (folder / "blue").mkdir()
    shutil.copy(Path(config.root) / measured.name, folder / "blue" / "again.jpg")
    config.extra = str(folder)
    return folder


@pytest.mark.parametrize("cache", [True, False])
def test_extra_pictures_are_trained_on_and_leave_val_and_test_as_they_are(
    cache: bool, config: DataConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = load_data_set(config, SPEC)
    extra = extra_of(config, tmp_path / "feedback")
    config.cache = cache
    with caplog.at_level(logging.INFO):
        data_set = load_data_set(config, SPEC)
    assert data_set.manifest[:30] == before.manifest
    assert [(row.name, row.label, row.split) for row in data_set.manifest[30:]] == [
        (f"../feedback/red/{number}.jpg", "red", "train") for number in (1, 2)
    ]
    assert sha256_of_test(data_set.manifest) == sha256_of_test(before.manifest)
    new = data_set.read_pixels(np.array([30, 31]))
    np.testing.assert_array_equal(new[1], to_pixels(open_picture(extra / "red/2.jpg"), SPEC))
    assert "Training on 2 more pictures" in caplog.text
    assert "left out: they are duplicates of val or test" in caplog.text


def test_an_extra_picture_that_looks_like_a_measuring_one_is_left_out(config: DataConfig, tmp_path: Path) -> None:
    for seed in range(30):
        scene(seed).save(Path(config.root) / f"red/scene-{seed:02}.jpg")
    (tmp_path / "feedback/red").mkdir(parents=True)
    for seed in range(30):
        scene(seed, (60, 45)).save(tmp_path / f"feedback/red/{seed:02}.jpg")
    config.extra = str(tmp_path / "feedback")
    data_set = load_data_set(config, SPEC)
    split_of = {row.name[-6:-4]: row.split for row in data_set.manifest if "scene" in row.name}
    taken = {row.name[-6:-4] for row in data_set.manifest if "feedback" in row.name}
    assert taken == {number for number, split in split_of.items() if split == "train"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets not everybody make links")
def test_a_root_that_is_a_link_finds_extra_pictures_too(config: DataConfig, tmp_path: Path) -> None:
    extra_of(config, tmp_path / "feedback")
    (tmp_path / "elsewhere" / "deep").mkdir(parents=True)
    Path(config.root).replace(tmp_path / "elsewhere" / "deep" / "pictures")
    Path(config.root).symlink_to(tmp_path / "elsewhere" / "deep" / "pictures", target_is_directory=True)
    data_set = load_data_set(config, SPEC)
    assert all((data_set.root / row.name).is_file() for row in data_set.manifest)
    assert len(data_set.manifest) == 32


def test_extra_folders_go_by_the_label_or_by_the_name_of_its_folder(config: DataConfig, tmp_path: Path) -> None:
    config.folders = {"blue": "sky", "green": "grass", "red": "rose"}
    for folder in ("red", "rose"):
        write_picture(tmp_path / "feedback" / folder / "1.jpg", COLORS["red"], seed=len(folder))
    config.extra = str(tmp_path / "feedback")
    assert [row.label for row in load_data_set(config, SPEC).manifest[30:]] == ["rose", "rose"]


def test_extra_folders_of_other_labels_or_without_files_are_refused(config: DataConfig, tmp_path: Path) -> None:
    config.extra = str(tmp_path / "feedback")
    (tmp_path / "feedback" / "red").mkdir(parents=True)
    with pytest.raises(DataError, match="has no files in label folders"):
        load_data_set(config, SPEC)
    write_picture(tmp_path / "feedback/violet/1.jpg", (120, 0, 200), seed=1)
    with pytest.raises(DataError, match=r"no label of .*: violet\. Expected: blue, green, red"):
        load_data_set(config, SPEC)
