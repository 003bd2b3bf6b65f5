"""Batches: every picture once an epoch, in an order that can be repeated."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from animals.config.data import DataConfig
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.preprocess import InputSpec
from animals.training.loader import evaluation_loader, training_loader

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="squash")


def load(pictures: Path, cache_dir: Path, *, cache: bool) -> DataSet:
    return load_data_set(DataConfig(root=str(pictures), cache=cache, cache_dir=str(cache_dir), workers=0), SPEC)


@pytest.fixture
def data_set(pictures: Path, tmp_path: Path) -> DataSet:
    return load(pictures, tmp_path, cache=True)


def seen(data_set: DataSet, epoch: int, *, done: int = 0, **options: int) -> torch.Tensor:
    """Return the training pictures that one process gets in an epoch, in its order."""
    loader: Any = training_loader(data_set, **{"batch_size": 8, "workers": 0, "seed": 0, **options})
    loader.batch_sampler.resume(epoch, done)
    loader.batch_sampler.sampler.set_epoch(epoch)
    return torch.cat([pixels for pixels, _ in loader])


def test_a_batch_is_bytes_in_the_layout_of_the_cache(data_set: DataSet) -> None:
    pixels, targets = next(iter(evaluation_loader(data_set, "val", batch_size=4, workers=0)))
    assert (pixels.shape, pixels.dtype) == ((4, 16, 16, 3), torch.uint8)
    assert (targets.shape, targets.dtype) == ((4,), torch.int64)


def test_without_shuffling_the_order_is_the_manifests_and_nothing_is_left_out(data_set: DataSet) -> None:
    targets = torch.cat([targets for _, targets in evaluation_loader(data_set, "val", batch_size=4, workers=0)])
    np.testing.assert_array_equal(targets, data_set.targets[data_set.rows("val")])


def test_every_training_picture_is_seen_once_an_epoch(data_set: DataSet) -> None:
    def sums(pixels: torch.Tensor) -> list[int]:
        return sorted(pixels.sum((1, 2, 3), dtype=torch.int64).tolist())

    assert data_set.pixels is not None
    expected = torch.from_numpy(np.array(data_set.pixels[data_set.pixel_rows[data_set.rows("train")]]))
    assert sums(seen(data_set, 0)) == sums(expected)


def test_the_order_follows_from_seed_and_epoch_alone(data_set: DataSet) -> None:
    assert torch.equal(seen(data_set, 3), seen(data_set, 3))
    assert not torch.equal(seen(data_set, 3), seen(data_set, 4))
    assert not torch.equal(seen(data_set, 3), seen(data_set, 3, seed=1))


def test_worker_processes_give_the_same_batches_as_the_cache(pictures: Path, tmp_path: Path, data_set: DataSet) -> None:
    decoded = load(pictures, tmp_path, cache=False)
    batches = [next(iter(evaluation_loader(source, "val", batch_size=6, workers=1))) for source in (data_set, decoded)]
    assert torch.equal(batches[0][0], batches[1][0])
    assert torch.equal(batches[0][1], batches[1][1])


def test_an_epoch_goes_on_after_the_batches_that_were_seen(data_set: DataSet) -> None:
    assert torch.equal(seen(data_set, 3, done=2), seen(data_set, 3)[16:])


def test_a_new_epoch_begins_at_its_beginning(data_set: DataSet) -> None:
    loader: Any = training_loader(data_set, batch_size=8, workers=0, seed=0)
    loader.batch_sampler.resume(3, 2)
    loader.batch_sampler.set_epoch(4)
    assert torch.equal(torch.cat([pixels for pixels, _ in loader]), seen(data_set, 4))


def test_processes_share_out_each_batch(data_set: DataSet) -> None:
    whole, parts = seen(data_set, 1), [seen(data_set, 1, rank=rank, world_size=2) for rank in range(2)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])


def test_processes_share_out_a_split_that_is_evaluated(data_set: DataSet) -> None:
    loaders = [
        evaluation_loader(data_set, "val", batch_size=4, workers=0, rank=rank, world_size=4) for rank in range(4)
    ]
    assert [sum(len(targets) for _, targets in loader) for loader in loaders] == [2, 2, 1, 1]
