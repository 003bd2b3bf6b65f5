"""Pictures out of shards: once an epoch, as they were, or an error that says what is wrong."""

import tarfile
from collections import Counter
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest

from animals.data.shards.index import ShardIndex, ShardSet
from animals.data.shards.order import ShardOrder
from animals.data.shards.stream import ShardPicture, pack, read_split, read_stream
from animals.errors import PicturesUnavailable, StorageUnavailable
from animals.storage import GcsStorage, open_storage
from tests.support.shards import write_tiny_shards


def order_of(shards: ShardSet, *, batch_size: int = 10, streams: int = 3, seed: int = 0) -> ShardOrder:
    return ShardOrder([it.pictures for it in shards.of("train")], batch_size, streams, seed)


def names(shards: ShardSet, order: ShardOrder, epoch: int = 0, done: int = 0) -> list[list[str]]:
    """The pictures of each stream."""
    return [
        [picture.name for picture in read_stream(shards, order, epoch, stream, done=done)]
        for stream in range(order.streams)
    ]


def test_a_picture_is_read_as_it_was_written(written: ShardSet, pictures: Path) -> None:
    for split in ("train", "val", "test"):
        for picture in read_split(written, split):
            assert picture.data == (pictures / picture.name).read_bytes()
            assert picture.label == picture.name.split("/")[0]


def test_every_training_picture_is_seen_once_an_epoch(written: ShardSet) -> None:
    expected = Counter(picture.name for picture in read_split(written, "train"))
    assert expected.total() == len(expected) == 48
    for epoch in range(2):
        assert Counter(name for stream in names(written, order_of(written), epoch) for name in stream) == expected


def test_pictures_are_shuffled_beyond_their_shards(written: ShardSet) -> None:
    shard_of: dict[str, int] = {}
    for index, shard in enumerate(written.of("train")):
        single = written.index.model_copy(update={"shards": (shard,)})
        shard_of |= {picture.name: index for picture in read_split(ShardSet(written.url, single), "train")}
    first, *_ = names(written, order_of(written))
    shards = [shard_of[name] for name in first]
    changes = sum(one != other for one, other in pairwise(shards))
    assert changes > len(set(shards)) - 1


def test_the_order_follows_from_seed_and_epoch_alone_and_is_resumed_after_any_batch(written: ShardSet) -> None:
    order = order_of(written)
    whole = names(written, order, 3)
    assert whole == names(written, order, 3)
    assert whole != names(written, order, 4)
    assert whole != names(written, order_of(written, seed=1), 3)
    for done in (1, 2, 4, 5):
        for stream, rest in enumerate(names(written, order, 3, done)):
            assert rest == whole[stream][int(order.shares(stream)[:done].sum()) :]


def test_equal_pictures_make_equal_shards_that_any_tar_program_reads(pictures: Path) -> None:
    data = (pictures / "red" / "000.jpg").read_bytes()
    picture = ShardPicture("red/000.jpg", "red", "123", data)
    assert pack([picture]) == pack([picture])
    with tarfile.open(fileobj=BytesIO(pack([picture]))) as archive:
        assert archive.getnames() == ["000000.jpeg", "000000.json"]
        member = archive.extractfile("000000.jpeg")
        assert member is not None
        assert member.read() == data


@pytest.fixture
def shards(pictures: Path, tmp_path: Path) -> ShardSet:
    """Shards that a test may damage."""
    return write_tiny_shards(pictures, str(tmp_path / "shards"), tmp_path / "cache", shard_bytes=20_000)


def test_a_damaged_or_missing_shard_is_named_with_what_to_do(shards: ShardSet) -> None:
    storage, name = open_storage(shards.url), shards.of("train")[1].name
    storage.write(name, b"no shard")
    with pytest.raises(PicturesUnavailable, match=f"{name} .* checksum differs from the index"):
        names(shards, order_of(shards))
    storage.delete(name)
    with pytest.raises(PicturesUnavailable, match=f"{name} is missing in .* invoke data --shards writes"):
        names(shards, order_of(shards))


def test_an_index_that_counts_more_pictures_than_there_are_is_an_error(shards: ShardSet) -> None:
    first, *others = shards.index.shards
    more = first.model_copy(update={"pictures": first.pictures + 5})
    index = ShardIndex.model_validate(shards.index.model_dump() | {"shards": (more, *others)})
    with pytest.raises(PicturesUnavailable, match=f"{first.name} in .* has {first.pictures} pictures"):
        list(read_split(ShardSet(shards.url, index), "train"))


def test_a_bucket_that_is_out_of_reach_is_an_error(written: ShardSet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    away = GcsStorage("away", "shards", retry_deadline=0.5)
    monkeypatch.setattr("animals.data.shards.stream.open_storage", lambda _: away)
    with pytest.raises(StorageUnavailable, match="gs://away/shards cannot be reached"):
        next(read_split(written, "train"))
