"""`invoke data --stats`: the number of pictures, and the mean and standard deviation of their pixels."""

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from animals.concurrency import in_processes
from animals.config.compose import compose_train_config
from animals.config.data import DataConfig
from animals.config.training import ModelConfig
from animals.cpus import available_cpus
from animals.data.dataset import DataSet
from animals.data.decode import CHUNK, count_values, count_values_of_files
from animals.data.load import load_data_set, spec_without_model
from animals.data.split import SPLITS
from animals.preprocess import Channels

STATISTICS: Final = "statistics.json"
"""Name of the file in the folder of a run."""

MIN_STD: Final = 1 / 255
"""One grey level: a channel that varies less is constant, and a smaller divisor would only amplify its noise."""

BLOCK: Final = 2**25
"""Bytes of pixels that are read from the cache at once, roughly."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation of red, green and blue in [0, 1]."""

    mean: Channels
    std: Channels
    """At least `MIN_STD`."""


def main(overrides: Sequence[str]) -> None:
    """Print the number of pictures of each label in each split, and mean and std of the training pictures.

    Raises:
        DataError: the folder cannot be used.
        StorageUnavailable: the disk is full or not writable.
    """
    config = compose_train_config(overrides).data
    data_set = load_data_set(config, spec_without_model(config))
    statistics = pixel_statistics(data_set, workers=config.workers)
    console = Console(highlight=False)
    console.print(_table(data_set))
    channels = (f"{name}: [{', '.join(f'{it:.4f}' for it in values)}]" for name, values in asdict(statistics).items())
    console.print(*channels, sep="\n", markup=False, soft_wrap=True)


def standardize(data_set: DataSet, data: DataConfig, model: ModelConfig) -> DataSet:
    """Return the data set with the mean and std that the configuration names.

    Args:
        data_set: with the mean and std that the model was pretrained with.
        data: says whose mean and std to use.
        model: says whether it is pretrained.
    """
    if not uses_own_statistics(data, model):
        return data_set
    statistics = pixel_statistics(data_set, workers=data.workers)
    log.info(
        "Pixels of the training pictures: mean %.3f %.3f %.3f, std %.3f %.3f %.3f", *statistics.mean, *statistics.std
    )
    return replace(data_set, spec=replace(data_set.spec, mean=statistics.mean, std=statistics.std))


def uses_own_statistics(data: DataConfig, model: ModelConfig) -> bool:
    """Return whether mean and std are those of the data rather than those that the model was pretrained with."""
    return data.statistics == "data" or (data.statistics == "auto" and not model.pretrained)


def write_statistics(path: Path, data_set: DataSet, data: DataConfig, model: ModelConfig) -> None:
    """Write the mean and std that a run uses, and whose they are, as JSON."""
    source = "data" if uses_own_statistics(data, model) else "model"
    statistics = Statistics(data_set.spec.mean, data_set.spec.std)
    path.write_text(json.dumps({"statistics": source, **asdict(statistics)}, indent=2) + "\n", encoding="utf-8")


def pixel_statistics(data_set: DataSet, *, workers: int) -> Statistics:
    """Return mean and standard deviation of the training pixels at the model's size, to six digits.

    They are computed from counts of each value, so they depend neither on the order nor on the cache. For shards they
    were computed when the shards were written.

    Args:
        data_set: has at least one training picture.
        workers: processes that decode if nothing is cached; -1 for one on each CPU.
    """
    if data_set.shards:
        pixels = data_set.shards.index.pixels
        return Statistics(pixels.mean, pixels.std)
    rows = data_set.rows("train")
    parts = _decoded_counts(data_set, rows, workers) if data_set.pixels is None else _cached_counts(data_set, rows)
    counts = sum(parts, np.zeros((3, 256), np.int64)).astype(np.float64)
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(axis=1)
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / counts.sum(axis=1)
    return Statistics(_channels(mean), _channels(np.maximum(np.sqrt(variance), MIN_STD)))


def _channels(values: NDArray[np.float64]) -> Channels:
    return cast(Channels, tuple(round(float(value), 6) for value in values))


def _cached_counts(data_set: DataSet, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    step = max(1, BLOCK // (data_set.spec.side**2 * 3))
    for first in range(0, len(rows), step):
        yield count_values(data_set.read_pixels(rows[first : first + step]))


def _decoded_counts(data_set: DataSet, rows: NDArray[np.int64], workers: int) -> Iterator[NDArray[np.int64]]:
    names = [data_set.manifest[row].name for row in rows]
    chunks = [tuple(names[first : first + CHUNK]) for first in range(0, len(names), CHUNK)]
    job = partial(count_values_of_files, root=data_set.root, spec=data_set.spec)
    for _, counts in in_processes(job, chunks, workers=available_cpus() if workers < 0 else workers):
        yield counts


def _table(data_set: DataSet) -> Table:
    """Return a table of the pictures of each label in each split and in total."""
    counts = [data_set.label_counts(split) for split in SPLITS]
    table = Table("Label", show_footer=True)
    for split, of_split in zip(SPLITS, counts, strict=True):
        table.add_column(split, f"{of_split.total():,}", justify="right")
    table.add_column("all", f"{sum(it.total() for it in counts):,}", justify="right")
    table.columns[0].footer = "All"
    for label in data_set.labels:
        row = [of_split[label] for of_split in counts]
        table.add_row(escape(label), *(f"{count:,}" for count in (*row, sum(row))))
    return table
