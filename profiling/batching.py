"""How long a picture's inference takes in batches of several sizes, on one thread.

    ANIMALS_BUCKET=data/bucket python profiling/batching.py

The sizes take turns, so that a machine that gets slower does so for all; of each the quickest pass is shown.
"""

import argparse
import sys
import time
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from animals import registry
from animals.cli import exit_on_error
from animals.config.settings import BucketSettings, read_settings
from animals.serving.classifier import Classifier
from animals.storage import open_storage

SIZES: Final = (1, 2, 4, 8, 16)


def main() -> None:
    """Measure and print a row of a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=48, help="of each pass [48]")
    parser.add_argument("--passes", type=int, default=10, help="[10]")
    arguments = parser.parse_args()
    with exit_on_error():
        storage = open_storage(read_settings(BucketSettings).bucket)
        card = registry.read_card(storage, registry.read_current(storage).version)
        classifier = Classifier(card, registry.read_file(storage, card, card.serving_file))
        side = card.input.side
        pictures = np.random.default_rng(0).normal(size=(arguments.pictures, 3, side, side)).astype(np.float32)
        passes = [[seconds(classifier, pictures, size) for size in SIZES] for _ in range(arguments.passes)]
    quickest = [1000 * min(column) for column in zip(*passes, strict=True)]
    sys.stdout.write(f"| {card.architecture}, {card.serving_file}, {side} pixels, ms a picture | {row(SIZES)} |\n")
    sys.stdout.write(f"|---|{'---:|' * len(SIZES)}\n| | {row(f'{it:.2f}' for it in quickest)} |\n")


def seconds(classifier: Classifier, pictures: NDArray[np.float32], size: int) -> float:
    """That a picture takes in batches of this size."""
    started = time.perf_counter()
    for first in range(0, len(pictures), size):
        classifier.infer(pictures[first : first + size])
    return (time.perf_counter() - started) / len(pictures)


def row(cells: Iterable[object]) -> str:
    """Cells of a table's row."""
    return " | ".join(map(str, cells))


if __name__ == "__main__":
    main()
