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
from tests.support.pictures import write_label_folders
from tests.support.shards import write_tiny_shards


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_folders(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def written(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    folder = tmp_path_factory.mktemp("shards")
    shards = write_tiny_shards(pictures, str(folder / "shards"), folder / "cache")
    return ShardSet(shards.url, shards.index, window=5)


def order_of(shards: ShardSet, *, batch_size: int = 10, streams: int = 3, seed: int = 0) -> ShardOrder:
    return ShardOrder([it.pictures for it in shards.of("train")], batch_size, streams, seed)


def names(shards: ShardSet, order: ShardOrder, epoch: int = 0, done: int = 0) -> list[list[str]]:
    """The pictures of each stream."""
    return [
        [picture.name for picture in read_stream(shards, order, epoch, stream, done=done)]
        for stream in range(order.streams)
    ]


def test_a_picture_comes_out_as_it_went_in(written: ShardSet, pictures: Path) -> None:
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


def test_the_order_follows_from_seed_and_epoch_alone(written: ShardSet) -> None:
    assert names(written, order_of(written), 3) == names(written, order_of(written), 3)
    assert names(written, order_of(written), 3) != names(written, order_of(written), 4)
    assert names(written, order_of(written), 3) != names(written, order_of(written, seed=1), 3)


@pytest.mark.parametrize("done", [1, 2, 4, 5])
def test_an_epoch_goes_on_with_the_rest_only(written: ShardSet, done: int) -> None:
    order = order_of(written)
    for stream, (all_of_it, rest) in enumerate(
        zip(names(written, order, 1), names(written, order, 1, done), strict=True)
    ):
        assert rest == all_of_it[int(order.shares(stream)[:done].sum()) :]


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
    """Some that a test may spoil."""
    return write_tiny_shards(pictures, str(tmp_path / "shards"), tmp_path / "cache", shard_bytes=20_000)


def test_a_missing_shard_is_named_with_what_to_do(shards: ShardSet) -> None:
    lost = shards.of("train")[1].name
    open_storage(shards.url).delete(lost)
    with pytest.raises(PicturesUnavailable, match=f"{lost} is missing in .* invoke data --shards writes"):
        names(shards, order_of(shards))


def test_a_damaged_shard_is_found_by_its_checksum(shards: ShardSet) -> None:
    spoiled = shards.of("train")[0].name
    open_storage(shards.url).write(spoiled, b"no shard")
    with pytest.raises(PicturesUnavailable, match=f"{spoiled} .* checksum differs from the index"):
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
