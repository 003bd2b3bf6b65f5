"""Shards as a data set: val and test are here, the training pictures are not."""

import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from animals.config.data import DataConfig
from animals.data import statistics
from animals.data.load import load_data_set
from animals.data.shards import load
from animals.data.shards.index import ShardSet
from animals.data.shards.stream import ShardPicture
from animals.errors import DataError, StorageUnavailable
from animals.preprocess import open_picture, to_pixels
from tests.support.shards import SPEC, write_tiny_shards


@pytest.fixture
def config(written: ShardSet, tmp_path: Path) -> DataConfig:
    return DataConfig(root=written.url, shards=True, side=16, cache_dir=str(tmp_path / "cache"), workers=0)


def test_val_and_test_are_those_of_the_folder(config: DataConfig, pictures: Path, tmp_path: Path) -> None:
    whole = load_data_set(DataConfig(root=str(pictures), cache_dir=str(tmp_path / "other"), workers=0), SPEC)
    loaded = load_data_set(config, SPEC)
    assert loaded.manifest == [row for row in whole.manifest if row.split != "train"]
    assert (loaded.labels, loaded.counts()) == (whole.labels, whole.counts())
    assert [loaded.label_counts(split) for split in whole.counts()] == [whole.label_counts(it) for it in whole.counts()]


@pytest.mark.parametrize("cache", [True, False])
def test_their_pixels_and_sizes_are_local(config: DataConfig, pictures: Path, cache: bool) -> None:
    loaded = load_data_set(replace(config, cache=cache), SPEC)
    rows = loaded.rows("test")
    expected = [to_pixels(open_picture(pictures / loaded.manifest[row].name), SPEC) for row in rows]
    np.testing.assert_array_equal(loaded.read_pixels(rows), expected)
    assert loaded.sizes.tolist() == [[40, 30]] * 12
    assert (loaded.root / loaded.manifest[0].name).is_file()


def test_a_second_training_downloads_nothing(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    once = load_data_set(config, SPEC)
    monkeypatch.setattr(load, "read_split", lambda *_: pytest.fail("It was brought again."))
    assert load_data_set(config, SPEC).manifest == once.manifest


def test_the_manifest_of_a_run_changes_with_the_training_pictures(
    config: DataConfig, written: ShardSet, pictures: Path, tmp_path: Path
) -> None:
    remembered = load_data_set(config, SPEC).run_manifest
    assert [row.sha256 for row in remembered if row.split == "train"] == [it.file.sha256 for it in written.of("train")]
    other = write_tiny_shards(pictures, str(tmp_path / "other"), tmp_path / "made", shard_bytes=9_000)
    assert load_data_set(replace(config, root=other.url), SPEC).run_manifest != remembered


def test_the_statistics_are_those_of_all_training_pictures(
    config: DataConfig, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = load_data_set(
        DataConfig(root=str(pictures), resize="squash", cache_dir=str(tmp_path / "other"), workers=0), SPEC
    )
    loaded = statistics.pixel_statistics(load_data_set(config, SPEC), workers=0)
    assert loaded == statistics.pixel_statistics(whole, workers=0)
    statistics.main(["experiment=shards", f"data.root={config.root}", f"data.cache_dir={config.cache_dir}"])
    shown = capsys.readouterr().out
    rows = [line.replace("│", " ").split() for line in shown.splitlines() if line.startswith("│")]
    assert rows == [
        *([label, "16", "2", "2", "20"] for label in ("blue", "green", "red")),
        ["All", "48", "6", "6", "60"],
    ]


def test_a_folder_without_shards_is_an_error_with_the_command_to_write_them(config: DataConfig, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none has no shards: index\.json is missing\. Write them"):
        load_data_set(replace(config, root=str(tmp_path / "none")), SPEC)


def test_a_full_disk_leaves_nothing_half_done(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageUnavailable, match=r"val and test .* could not be stored in .*No space left.*cache_dir"):
        load_data_set(config, SPEC)
    monkeypatch.undo()
    assert load_data_set(config, SPEC).counts()["test"] == 6


def test_a_name_that_leads_out_of_the_folder_is_refused(
    config: DataConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evil = ShardPicture("../../evil.jpg", "red", "1", b"1")
    monkeypatch.setattr(load, "read_split", lambda *_: iter([evil]))
    with pytest.raises(DataError, match=r"contains '../../evil.jpg', a name that leads out of its folder"):
        load_data_set(config, SPEC)
    assert not list(tmp_path.rglob("evil.jpg"))
