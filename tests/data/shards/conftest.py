"""A folder of pictures, and the same pictures as shards, for reading only."""

from pathlib import Path

import pytest

from animals.data.shards.index import ShardSet
from tests.support.pictures import write_label_folders
from tests.support.shards import write_tiny_shards


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_folders(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="session")
def written(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    folder = tmp_path_factory.mktemp("shards")
    shards = write_tiny_shards(pictures, str(folder / "shards"), folder / "cache")
    return ShardSet(shards.url, shards.index, window=5)
