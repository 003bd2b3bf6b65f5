"""Tiny sets of shards."""

from dataclasses import replace
from pathlib import Path

from animals.config.data import DataConfig
from animals.data.load import load_data_set
from animals.data.shards.index import ShardSet
from animals.data.shards.write import write_shards
from animals.data.statistics import pixel_statistics
from animals.preprocess import InputSpec
from animals.storage import open_storage

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="squash")


def write_tiny_shards(pictures: Path, url: str, cache_dir: Path, *, shard_bytes: int = 6_000) -> ShardSet:
    """Write a folder of label folders as shards of some pictures each."""
    config = DataConfig(root=str(pictures), side=16, resize="squash", cache_dir=str(cache_dir), workers=0)
    data_set = load_data_set(config, SPEC)
    statistics = pixel_statistics(data_set, workers=0)
    pixels = replace(SPEC, mean=statistics.mean, std=statistics.std)
    storage = open_storage(url)
    index = write_shards(data_set, storage, pixels=pixels, order_seed=0, shard_bytes=shard_bytes)
    return ShardSet(url, index)
