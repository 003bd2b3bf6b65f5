"""Batches: every picture once an epoch, in an order that can be had again."""

from pathlib import Path

import numpy as np
import pytest
import torch

from animals.config.training import DataConfig
from animals.data.load import DataSet, load_data_set
from animals.preprocess import InputSpec
from animals.training.loader import make_loader

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="squash")


def load(pictures: Path, cache_dir: Path, *, cache: bool) -> DataSet:
    return load_data_set(DataConfig(root=str(pictures), cache=cache, cache_dir=str(cache_dir), workers=0), SPEC)


@pytest.fixture
def data_set(pictures: Path, tmp_path: Path) -> DataSet:
    return load(pictures, tmp_path, cache=True)


def seen(data_set: DataSet, epoch: int, seed: int = 0) -> torch.Tensor:
    loader = make_loader(data_set, "train", batch_size=8, workers=0, shuffle_seed=seed)
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return torch.cat([pixels for pixels, _ in loader])


def test_a_batch_is_bytes_in_the_layout_of_the_cache(data_set: DataSet) -> None:
    pixels, targets = next(iter(make_loader(data_set, "val", batch_size=4, workers=0)))
    assert (pixels.shape, pixels.dtype) == ((4, 16, 16, 3), torch.uint8)
    assert (targets.shape, targets.dtype) == ((4,), torch.int64)


def test_without_shuffling_the_order_is_the_manifests_and_nothing_is_left_out(data_set: DataSet) -> None:
    targets = torch.cat([targets for _, targets in make_loader(data_set, "val", batch_size=4, workers=0)])
    np.testing.assert_array_equal(targets, data_set.targets[data_set.rows("val")])


def test_every_training_picture_is_seen_once_an_epoch(data_set: DataSet) -> None:
    def sums(pixels: torch.Tensor) -> list[int]:
        return sorted(pixels.sum((1, 2, 3), dtype=torch.int64).tolist())

    assert data_set.pixels is not None
    expected = torch.from_numpy(np.array(data_set.pixels[data_set.places[data_set.rows("train")]]))
    assert sums(seen(data_set, 0)) == sums(expected)


def test_the_order_follows_from_seed_and_epoch_alone(data_set: DataSet) -> None:
    assert torch.equal(seen(data_set, 3), seen(data_set, 3))
    assert not torch.equal(seen(data_set, 3), seen(data_set, 4))
    assert not torch.equal(seen(data_set, 3), seen(data_set, 3, seed=1))


def test_worker_processes_give_the_same_batches_as_the_cache(pictures: Path, tmp_path: Path, data_set: DataSet) -> None:
    decoded = load(pictures, tmp_path, cache=False)
    batches = [next(iter(make_loader(source, "val", batch_size=6, workers=1))) for source in (data_set, decoded)]
    assert torch.equal(batches[0][0], batches[1][0])
    assert torch.equal(batches[0][1], batches[1][1])
