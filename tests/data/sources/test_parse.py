"""What a person names is found, or named as missing."""

from functools import partial
from pathlib import Path

import pytest

from animals.data.sample.make import make_sample
from animals.data.sources import parse
from animals.data.sources.archive import TarSource, ZipSource
from animals.data.sources.bucket import BucketSource
from animals.data.sources.import_pictures import Fetched
from animals.data.sources.parse import bring, default_root, open_source
from animals.errors import ConfigError, DataError
from tests.support.archive_files import make_archive
from tests.support.pictures import write_label_folders


def test_a_name_finds_its_kind_of_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    names = ["~/pictures", str(make_archive(tmp_path / "a.zip")), str(make_archive(tmp_path / "a.tar.xz")), "gs://name"]
    kinds = [type(open_source(name, tmp_path / "root")) for name in names]
    assert kinds == [BucketSource, ZipSource, TarSource, BucketSource]


def test_a_folder_is_copied_and_then_nothing_is_left_to_do(tmp_path: Path) -> None:
    source, root = write_label_folders(tmp_path / "mine", per_label=2), tmp_path / "root"
    assert bring(str(source), root) == Fetched(new=6, kept=0, left_out=())
    assert (root / "red" / "001.jpg").read_bytes() == (source / "red" / "001.jpg").read_bytes()
    assert bring(str(source), root) == Fetched(new=0, kept=6, left_out=())
    assert bring(str(source), source) == Fetched(new=0, kept=6, left_out=())


def test_pictures_are_not_copied_into_their_own_source(tmp_path: Path) -> None:
    source = write_label_folders(tmp_path / "mine", per_label=2)
    with pytest.raises(DataError, match=r"raw lies in .*mine, so that pictures would be copied into their own source"):
        bring(str(source), source / "raw")


def test_the_sample_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parse, "make_sample", partial(make_sample, per_label=1, workers=1))
    assert bring("sample", tmp_path) == Fetched(new=10, kept=0, left_out=())
    assert bring("sample", tmp_path) == Fetched(new=0, kept=10, left_out=())


def test_pictures_go_where_the_experiments_look() -> None:
    assert default_root("sample") == Path("data/sample")
    assert default_root("kaggle") == default_root("gs://name") == Path("data/raw/raw-img")


def test_a_source_that_is_not_there_is_answered_with_those_that_could_be(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no source .*gone\. Expected sample, kaggle, feedback, a URL such"):
        bring(str(tmp_path / "gone"), tmp_path)
    with pytest.raises(ConfigError, match="neither a local folder nor of the form gs://"):
        bring("https://example.com/a.zip", tmp_path)
