"""Writing shards: whole or not at all, and the same again for the same pictures."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from animals.data.shards.index import INDEX, read_shard_set
from animals.data.shards.stream import read_split
from animals.data.shards.write import main
from animals.errors import ConfigError, DataError, StorageUnavailable, UsageError
from animals.storage import FolderStorage, Storage, open_storage
from tests.support.pictures import COLORS, write_label_folders, write_picture
from tests.support.shards import write_tiny_shards


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return write_label_folders(tmp_path / "pictures", per_label=10)


def contents(storage: Storage) -> dict[str, bytes]:
    return {name: storage.read(name).data for name in storage.names()}


def test_the_index_tells_all_that_a_training_needs(bucket: Storage, pictures: Path, tmp_path: Path) -> None:
    write_tiny_shards(pictures, bucket.url, tmp_path / "cache")
    shards = read_shard_set(bucket.url)
    assert shards.labels == ("blue", "green", "red")
    assert {split: shards.pictures(split) for split in ("train", "val", "test")} == {"train": 24, "val": 3, "test": 3}
    assert shards.index.labels["red"] == {"train": 8, "val": 1, "test": 1}
    assert all(0.01 < value < 0.99 for value in (*shards.index.pixels.mean, *shards.index.pixels.std))
    assert shards.index.pixels.side == 16
    assert set(bucket.names()) == {INDEX, *(shard.name for shard in shards.index.shards)}


def test_no_shard_is_larger_than_asked_for_unless_a_picture_is(pictures: Path, tmp_path: Path) -> None:
    shards = write_tiny_shards(pictures, str(tmp_path / "some"), tmp_path / "cache", shard_bytes=4_000)
    for shard in shards.index.shards:
        single = shards.index.model_copy(update={"shards": (shard,)})
        sizes = [len(it.data) for it in read_split(type(shards)(shards.url, single), shard.split)]
        assert len(sizes) == shard.pictures
        assert sum(sizes) <= 4_000
    each = write_tiny_shards(pictures, str(tmp_path / "each"), tmp_path / "cache", shard_bytes=1)
    assert {shard.pictures for shard in each.index.shards} == {1}


def test_training_pictures_are_mixed_and_the_same_set_is_written_again(pictures: Path, tmp_path: Path) -> None:
    one, other = (write_tiny_shards(pictures, str(tmp_path / name), tmp_path / "cache") for name in "ab")
    assert contents(open_storage(one.url)) == contents(open_storage(other.url))
    labels = [picture.label for picture in read_split(one, "train")]
    assert labels != sorted(labels)


class Failing(FolderStorage):
    """A bucket that goes away after some writes, and remembers them."""

    def __init__(self, root: Path, writes: int) -> None:
        super().__init__(root)
        self.left = writes
        self.written: list[str] = []

    def write(self, name: str, data: bytes, **options: Any) -> str:
        if self.left == 0:
            raise StorageUnavailable("The bucket is away.")
        self.left -= 1
        self.written.append(name)
        return super().write(name, data, **options)


@pytest.fixture
def storages(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Failing]]:
    """Storages that the next writings use, the last of them first."""
    waiting: list[Failing] = []
    monkeypatch.setattr("tests.support.shards.open_storage", lambda _: waiting.pop())
    yield waiting
    assert not waiting


def test_an_interrupted_write_is_not_readable_and_resumes(
    pictures: Path, tmp_path: Path, storages: list[Failing]
) -> None:
    url = str(tmp_path / "shards")
    storages.extend([rest := Failing(Path(url), 1000), first := Failing(Path(url), 3)])
    with pytest.raises(StorageUnavailable):
        write_tiny_shards(pictures, url, tmp_path / "cache")
    with pytest.raises(DataError, match=r"has no shards: index\.json is missing\. Write them .again, if that was"):
        read_shard_set(url)
    assert len(first.written) == 3
    shards = write_tiny_shards(pictures, url, tmp_path / "cache")
    assert not set(first.written) & set(rest.written)
    assert rest.written[-1] == INDEX
    assert sum(1 for _ in read_split(shards, "train")) == 24


def test_shards_of_another_interrupted_write_are_deleted(
    pictures: Path, tmp_path: Path, storages: list[Failing]
) -> None:
    folder = tmp_path / "shards"
    storages.extend([Failing(folder, 1000), Failing(folder, 3)])
    with pytest.raises(StorageUnavailable):
        write_tiny_shards(pictures, str(folder), tmp_path / "cache", shard_bytes=3_000)
    (folder / "mine.tar").write_bytes(b"not a shard")
    shards = write_tiny_shards(pictures, str(folder), tmp_path / "cache")
    assert set(open_storage(str(folder)).names()) == {INDEX, "mine.tar", *(it.name for it in shards.index.shards)}


def test_a_finished_set_is_left_alone(pictures: Path, tmp_path: Path) -> None:
    url = str(tmp_path / "shards")
    shards = write_tiny_shards(pictures, url, tmp_path / "cache")
    before = contents(open_storage(url))
    assert write_tiny_shards(pictures, url, tmp_path / "cache") == shards
    write_picture(pictures / "red" / "new.jpg", COLORS["red"], seed=77)
    with pytest.raises(UsageError, match=r"has shards of other pictures or settings.*Use another URL"):
        write_tiny_shards(pictures, url, tmp_path / "cache")
    assert contents(open_storage(url)) == before


def test_a_picture_that_is_gone_meanwhile_is_an_error(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose_a_picture(data_set: Any, **_: Any) -> Any:
        (pictures / "red" / "000.jpg").unlink()
        return data_set.spec

    monkeypatch.setattr("tests.support.shards.pixel_statistics", lose_a_picture)
    with pytest.raises(DataError, match=r"000\.jpg can no longer be read: .* Run the same command again"):
        write_tiny_shards(pictures, str(tmp_path / "shards"), tmp_path / "cache")


def test_an_index_of_another_format_is_named(pictures: Path, tmp_path: Path) -> None:
    url = str(tmp_path / "shards")
    write_tiny_shards(pictures, url, tmp_path / "cache")
    index = tmp_path / "shards" / INDEX
    index.write_text(json.dumps(json.loads(index.read_text(encoding="utf-8")) | {"format": 2}), encoding="utf-8")
    with pytest.raises(DataError, match=r"index.json in .* cannot be read by this version of animals: format: "):
        read_shard_set(url)


def test_the_command_writes_and_says_what_is_next(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ["experiment=folder", "data.side=16", "data.workers=0"]
    main("shards", [*overrides, f"data.root={pictures}"])
    output = capsys.readouterr().out
    assert output.startswith("shards: 30 pictures in 3 shards, 0.")
    assert output.endswith('Next: uv run invoke train --args "experiment=shards data.root=shards"\n')
    with pytest.raises(UsageError, match="shards already holds shards"):
        main("others", ["experiment=shards", "data.root=shards"])
    with pytest.raises(ConfigError, match="neither a local folder nor of the form gs://"):
        main("s3://bucket", [*overrides, f"data.root={pictures}"])
