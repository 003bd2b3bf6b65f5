"""A source is found by its name, and pictures of a URL are copied to this machine."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from animals.config.data import DataConfig
from animals.data.load import load_data_set
from animals.data.sample.make import make_sample
from animals.data.sources import import_pictures as module
from animals.data.sources.archive import ArchiveSource
from animals.data.sources.bucket import BucketSource
from animals.data.sources.folder import ImportResult
from animals.data.sources.import_pictures import default_root, ensure_local, import_pictures, open_source
from animals.errors import ConfigError, DataError
from animals.preprocess import InputSpec
from animals.storage import open_storage
from tests.support.archive_files import make_archive
from tests.support.pictures import write_label_folders

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_a_name_finds_its_type_of_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "pictures").mkdir()
    names = ["~/pictures", str(make_archive(tmp_path / "a.zip")), str(make_archive(tmp_path / "a.tar.xz")), "gs://name"]
    types = [type(open_source(name, tmp_path / "root")) for name in names]
    assert types == [BucketSource, ArchiveSource, ArchiveSource, BucketSource]


def test_a_folder_is_copied_once(tmp_path: Path) -> None:
    source, root = write_label_folders(tmp_path / "mine", per_label=2), tmp_path / "root"
    assert import_pictures(str(source), root) == ImportResult(new=6, existing=0)
    assert (root / "red" / "001.jpg").read_bytes() == (source / "red" / "001.jpg").read_bytes()
    assert import_pictures(str(source), root) == ImportResult(new=0, existing=6)
    assert import_pictures(str(source), source) == ImportResult(new=0, existing=6)


def test_pictures_are_not_copied_into_their_own_source(tmp_path: Path) -> None:
    source = write_label_folders(tmp_path / "mine", per_label=2)
    with pytest.raises(DataError, match=r"raw is inside the source .*mine\. Choose a folder outside of it"):
        import_pictures(str(source), source / "raw")


def test_the_sample_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_sample", partial(make_sample, per_label=1, workers=1))
    assert import_pictures("sample", tmp_path) == ImportResult(new=10, existing=0)
    assert import_pictures("sample", tmp_path) == ImportResult(new=0, existing=10)


def test_pictures_are_stored_where_the_experiments_expect_them() -> None:
    assert default_root("sample") == Path("data/sample")
    assert default_root("kaggle") == default_root("gs://name") == Path("data/raw/raw-img")


def test_an_unknown_source_is_refused_with_those_that_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"There is no source .*gone\. Expected sample, kaggle, feedback, a URL such"):
        import_pictures(str(tmp_path / "gone"), tmp_path)
    with pytest.raises(ConfigError, match="neither a local folder nor of the form gs://"):
        import_pictures("https://example.com/a.zip", tmp_path)


@pytest.fixture
def url(gcs_url: str, tmp_path: Path) -> str:
    """Label folders in a bucket."""
    root, storage = write_label_folders(tmp_path / "made", per_label=10), open_storage(f"{gcs_url}/raw")
    for path in sorted(root.rglob("*.jpg")):
        storage.write(path.relative_to(root).as_posix(), path.read_bytes())
    return f"{gcs_url}/raw"


def test_a_local_folder_is_used_as_it_is(tmp_path: Path) -> None:
    assert ensure_local("some/where", tmp_path) == Path("some/where")
    assert not list(tmp_path.iterdir())


def test_a_url_gives_the_same_data_set_as_the_folder(url: str, tmp_path: Path) -> None:
    local, remote = (
        DataConfig(root=root, cache_dir=str(tmp_path / "cache"), workers=0) for root in (str(tmp_path / "made"), url)
    )
    assert load_data_set(remote, SPEC).manifest == load_data_set(local, SPEC).manifest


def test_several_processes_may_copy_a_url_at_once(url: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(lambda _: ensure_local(f"{url}/", tmp_path), range(3)))
    (folder,) = folders
    assert len(list(folder.glob("*/*.jpg"))) == 30
    assert not list(folder.glob("*/.*"))


def test_a_url_without_pictures_is_named(gcs_url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="some/prefix/none"):
        ensure_local(f"{gcs_url}/none", tmp_path)


def test_a_wrong_url_is_refused_before_anything_is_read() -> None:
    DataConfig(root="gs://zoo/raw", extra="gs://zoo/feedback").check_sources()
    for data in (DataConfig(root="http://zoo/raw"), DataConfig(root="gs://zoo/raw", extra="ftp://zoo")):
        with pytest.raises(ConfigError, match="gs://name/prefix"):
            data.check_sources()
