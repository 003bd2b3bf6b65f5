"""Pictures that a run finds in a bucket."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from animals.config.training import DataConfig, check_folders
from animals.data.load import load_data_set
from animals.data.sources.remote import at_hand
from animals.errors import ConfigError, DataError
from animals.preprocess import InputSpec
from animals.storage import open_storage
from tests.support.pictures import write_label_folders

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def url(gcs_url: str, tmp_path: Path) -> str:
    """Label folders in a bucket."""
    root, storage = write_label_folders(tmp_path / "made", per_label=10), open_storage(f"{gcs_url}/raw")
    for path in sorted(root.rglob("*.jpg")):
        storage.write(path.relative_to(root).as_posix(), path.read_bytes())
    return f"{gcs_url}/raw"


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert at_hand("some/where", tmp_path) == Path("some/where")
    assert not list(tmp_path.iterdir())


def test_the_pictures_of_a_url_are_those_of_the_folder(url: str, tmp_path: Path) -> None:
    here = DataConfig(root=str(tmp_path / "made"), cache_dir=str(tmp_path / "cache"), workers=0)
    there = DataConfig(root=url, cache_dir=str(tmp_path / "cache"), workers=0)
    assert load_data_set(there, SPEC).manifest == load_data_set(here, SPEC).manifest


def test_several_processes_may_bring_them_at_once(url: str, tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(lambda _: at_hand(f"{url}/", tmp_path), range(3)))
    (folder,) = folders
    assert len(list(folder.glob("*/*.jpg"))) == 30
    assert not list(folder.glob("*/.*"))


def test_a_bucket_without_pictures_is_told(gcs_url: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="some/prefix/none"):
        at_hand(f"{gcs_url}/none", tmp_path)


def test_a_url_is_a_place_for_pictures_and_a_wrong_one_is_named_before_anything_is_read() -> None:
    check_folders(DataConfig(root="gs://zoo/raw", extra="gs://zoo/feedback"))
    for data in (DataConfig(root="http://zoo/raw"), DataConfig(root="gs://zoo/raw", extra="ftp://zoo")):
        with pytest.raises(ConfigError, match="gs://name/prefix"):
            check_folders(data)
