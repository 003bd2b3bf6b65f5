"""Compare the speed of loading pictures from shards, from the cache, and from the folder.

    python -m profiling.training.shards_bench gs://name/shards experiment=sample

Writes the configured pictures as shards to the URL if they are missing, then loads an epoch each way in turn. No model
is trained: it measures what the loaders alone can do.
"""

import argparse
import statistics
import time
from dataclasses import replace
from typing import Any

from rich.console import Console
from rich.table import Table

from animals.cli import exit_on_error
from animals.config.compose import compose_train_config
from animals.config.data import DataConfig
from animals.config.training import TrainConfig
from animals.data.load import load_data_set, spec_without_model
from animals.data.shards.write import main as write
from animals.training.loader import training_loader
from animals.training.streaming import streaming_loader

ROUNDS = 3


def epoch(loader: Any, number: int) -> float:
    """Return the pictures a second of one epoch."""
    loader.batch_sampler.sampler.set_epoch(number)
    began = time.perf_counter()
    pictures = sum(len(targets) for _, targets in loader)
    return float(pictures / (time.perf_counter() - began))


def make_loader(config: TrainConfig, data: DataConfig, workers: int) -> Any:
    """Return the loader of one way."""
    data_set = load_data_set(data, spec_without_model(data))
    options: dict[str, Any] = {"batch_size": config.trainer.batch_size, "workers": workers, "seed": config.seed}
    if data_set.shards:
        return streaming_loader(data_set.shards, data_set.spec, **options)
    return training_loader(data_set, **options)


def measure(config: TrainConfig, url: str) -> dict[str, list[float]]:
    """Return the pictures a second of each way, one value a round."""
    data = config.data
    shards = replace(data, root=url, sample=False, shards=True)
    ways = {
        "cache": (data, 0),
        "folder, decoded": (replace(data, cache=False), 0),
        "shards": (shards, 0),
        "shards, 2 workers": (shards, 2),
    }
    loaders = {name: make_loader(config, source, workers) for name, (source, workers) in ways.items()}
    for loader in loaders.values():
        epoch(loader, 0)  # workers start
    rounds = [{name: epoch(loader, number) for name, loader in loaders.items()} for number in range(1, ROUNDS + 1)]
    return {name: [it[name] for it in rounds] for name in loaders}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("overrides", nargs="*")
    arguments = parser.parse_args()
    with exit_on_error():
        config = compose_train_config(arguments.overrides)
        write(arguments.url, arguments.overrides)
        rates_by_way = measure(config, arguments.url)
    table = Table("from", "pictures/s, median (range)", "of decoding the folder")
    decoded = statistics.median(rates_by_way["folder, decoded"])
    for name, rates in rates_by_way.items():
        median = statistics.median(rates)
        table.add_row(name, f"{median:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})", f"{median / decoded:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
