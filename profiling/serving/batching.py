"""Measure the inference of a picture in batches of several sizes, on one thread.

    ANIMALS_BUCKET=data/bucket python -m profiling.serving.batching

The sizes take turns, so that a machine that becomes slower does so for all; the fastest pass of each is shown.
"""

import argparse
import sys
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from animals import registry
from animals.cli import exit_on_error
from animals.config.settings import BucketSettings, read_settings
from animals.markdown import table
from animals.serving.classifier import Classifier
from animals.storage import open_storage

SIZES: Final = (1, 2, 4, 8, 16)


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=48, help="in each pass [48]")
    parser.add_argument("--passes", type=int, default=10, help="[10]")
    arguments = parser.parse_args()
    with exit_on_error():
        storage = open_storage(read_settings(BucketSettings).bucket)
        card = registry.read_card(storage, registry.read_current(storage).version)
        classifier = Classifier(card, registry.read_file(storage, card, card.serving_file))
        side = card.input.side
        pictures = np.random.default_rng(0).normal(size=(arguments.pictures, 3, side, side)).astype(np.float32)
        passes = [[seconds(classifier, pictures, size) for size in SIZES] for _ in range(arguments.passes)]
    fastest = [1000 * min(column) for column in zip(*passes, strict=True)]
    head = [f"{card.architecture}, {card.serving_file}, {side} pixels; batch", *map(str, SIZES)]
    sys.stdout.write(table(head, [["ms a picture", *(f"{it:.2f}" for it in fastest)]]) + "\n")


def seconds(classifier: Classifier, pictures: NDArray[np.float32], size: int) -> float:
    """Return the seconds a picture in batches of one size."""
    started = time.perf_counter()
    for first in range(0, len(pictures), size):
        classifier.infer(pictures[first : first + size])
    return (time.perf_counter() - started) / len(pictures)


if __name__ == "__main__":
    main()
