"""Batches streamed from shards: every picture once an epoch, in the same order for any number of workers."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from animals.config.data import DataConfig
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.data.shards.stream import read_split
from animals.errors import ConfigError, PicturesUnavailable
from animals.preprocess import InputSpec, open_picture, to_pixels
from animals.storage import open_storage
from animals.training.streaming import StreamedBatches, streaming_loader
from tests.support.emulator import Emulator
from tests.support.shards import SPEC, write_tiny_shards

# a machine of the tests may have fewer CPUs than workers
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")

BATCH = 10  # of 48 pictures: batches of 9 and of 10


@pytest.fixture(scope="module")
def url(pictures: Path, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Shards in the emulator."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        url = f"gs://{emulator.make_bucket()}/shards"
        write_tiny_shards(pictures, url, tmp_path_factory.mktemp("cache"))
        yield url


@pytest.fixture
def data_set(url: str, tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    return load(url, tmp_path / "cache")


def load(url: str, cache_dir: Path) -> DataSet:
    config = DataConfig(root=url, shards=True, streams=4, window=5, cache_dir=str(cache_dir), workers=0)
    return load_data_set(config, SPEC)


def loader(data_set: DataSet, **options: int) -> StreamedBatches:
    assert data_set.shards
    return streaming_loader(data_set.shards, data_set.spec, **{"batch_size": BATCH, "workers": 0, "seed": 0, **options})


def names(data_set: DataSet, batches: StreamedBatches, epoch: int) -> list[list[str]]:
    """The pictures of each batch of an epoch; a picture is known by its pixels."""
    assert data_set.shards
    known = {key(picture.data, data_set.spec): picture.name for picture in read_split(data_set.shards, "train")}
    batches.set_epoch(epoch)
    result = []
    for pixels, targets in batches:
        result.append([known[picture.numpy().tobytes()] for picture in pixels])
        labels = [data_set.labels[target] for target in targets]
        assert labels == [name.split("/")[0] for name in result[-1]]
    return result


def key(data: bytes, spec: InputSpec) -> bytes:
    return to_pixels(open_picture(data), spec).tobytes()


def flat(batches: list[list[str]]) -> Counter[str]:
    return Counter(name for batch in batches for name in batch)


@pytest.fixture(scope="module")
def everything(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """All training pictures, as the folder itself is split."""
    folder = tmp_path_factory.mktemp("whole")
    whole = load_data_set(DataConfig(root=str(pictures), cache_dir=str(folder), workers=0), SPEC)
    return Counter(row.name for row in whole.manifest if row.split == "train")


def test_every_training_picture_is_seen_once_an_epoch(data_set: DataSet, everything: Counter[str]) -> None:
    batches = loader(data_set)
    for epoch in range(2):
        epoch_names = names(data_set, batches, epoch)
        assert flat(epoch_names) == everything
        assert len(epoch_names) == len(batches) == 5
        assert sorted(map(len, epoch_names)) == [9, 9, 10, 10, 10]


@pytest.mark.parametrize("workers", [1, 3])
def test_workers_give_the_same_batches_as_one_process_and_resume_alike(data_set: DataSet, workers: int) -> None:
    expected, batches = loader(data_set), loader(data_set, workers=workers)
    assert names(data_set, batches, 2) == names(data_set, expected, 2)
    batches.resume(3, 3)
    assert names(data_set, batches, 3) == names(data_set, expected, 3)[3:]


def test_two_processes_of_two_workers_have_every_picture_once(data_set: DataSet, everything: Counter[str]) -> None:
    parts = [names(data_set, loader(data_set, workers=2, rank=rank, world_size=2), 1) for rank in range(2)]
    assert [len(part) for part in parts] == [5, 5]
    assert flat(parts[0]) + flat(parts[1]) == everything
    whole = names(data_set, loader(data_set), 1)
    assert [sorted([*one, *other]) for one, other in zip(*parts, strict=True)] == [sorted(batch) for batch in whole]


def test_three_processes_have_parts_of_every_batch(data_set: DataSet, everything: Counter[str]) -> None:
    parts = [names(data_set, loader(data_set, rank=rank, world_size=3), 1) for rank in range(3)]
    assert sum((flat(part) for part in parts), Counter()) == everything
    assert all(len(batch) >= 2 for part in parts for batch in part)


def test_the_order_follows_from_seed_and_epoch_alone(data_set: DataSet) -> None:
    assert names(data_set, loader(data_set), 3) == names(data_set, loader(data_set), 3)
    assert names(data_set, loader(data_set), 3) != names(data_set, loader(data_set), 4)
    assert names(data_set, loader(data_set), 3) != names(data_set, loader(data_set, seed=1), 3)


def test_an_epoch_is_resumed_with_the_rest_only(data_set: DataSet) -> None:
    whole, resumed = names(data_set, loader(data_set), 2), loader(data_set)
    resumed.resume(2, 3)
    assert names(data_set, resumed, 2) == whole[3:]
    assert len(names(data_set, resumed, 3)) == 5  # a new epoch begins at its beginning


def test_more_processes_than_streams_are_refused(data_set: DataSet) -> None:
    with pytest.raises(ConfigError, match=r"5 processes cannot share 4 streams of pictures\. Set data\.streams"):
        loader(data_set, world_size=5)


def test_a_single_shard_feeds_any_number_of_streams(pictures: Path, tmp_path: Path, everything: Counter[str]) -> None:
    write_tiny_shards(pictures, str(tmp_path / "one"), tmp_path / "cache", shard_bytes=10**9)
    data_set = load(str(tmp_path / "one"), tmp_path / "cache")
    assert data_set.shards
    assert len(data_set.shards.of("train")) == 1
    assert flat(names(data_set, loader(data_set), 0)) == everything


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_worker_is_raised_as_it_is(pictures: Path, tmp_path: Path, workers: int) -> None:
    write_tiny_shards(pictures, str(tmp_path / "shards"), tmp_path / "cache")
    data_set = load(str(tmp_path / "shards"), tmp_path / "cache")
    assert data_set.shards
    lost = data_set.shards.of("train")[3].name
    open_storage(data_set.shards.url).delete(lost)
    with pytest.raises(PicturesUnavailable, match=f"^{lost} is missing"):
        names(data_set, loader(data_set, workers=workers), 0)


def test_a_picture_that_cannot_be_decoded_is_named(data_set: DataSet) -> None:
    assert data_set.shards
    picture = next(read_split(data_set.shards, "train"))
    with pytest.raises(PicturesUnavailable, match=f"{picture.name} in a shard of gs://.*: This is no picture"):
        loader(data_set)._pictures._decode(replace(picture, data=b"1"))


def test_streamed_pixels_are_those_of_the_cache(data_set: DataSet, pictures: Path, tmp_path: Path) -> None:
    config = DataConfig(root=str(pictures), cache_dir=str(tmp_path / "other"), workers=0)
    cached = load_data_set(config, SPEC)
    rows = cached.rows("train")
    streamed = torch.cat([pixels for pixels, _ in loader(data_set)])
    assert Counter(it.numpy().tobytes() for it in streamed) == Counter(it.tobytes() for it in cached.read_pixels(rows))
