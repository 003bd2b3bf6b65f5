"""Compare `animals classify` with its classifier alone in a loop, in pictures a second of CPU.

    ANIMALS_BUCKET=data/bucket python -m profiling.bulk_bench data/sample

All ways take the same pictures in turn, several times. CPU seconds are counted, so the comparison also holds on a busy
machine. The first forty pictures, with which all workers start, are counted separately.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from animals import registry
from animals.bulk.sources import find_pictures
from animals.config.settings import BucketSettings, read_settings
from animals.markdown import table
from animals.serving.classifier import Classifier
from animals.storage import open_storage

Way = Callable[[Sequence[str]], None]

FIRST: Final = 40
"""Pictures that are counted separately: more than one worker takes at once."""


def loop() -> Way:
    """Return the classifier alone, in this process."""
    storage = open_storage(read_settings(BucketSettings).bucket)
    card = registry.read_card(storage, registry.read_current(storage).version)
    classifier = Classifier(card, registry.read_file(storage, card, card.serving_file))

    def run(names: Sequence[str]) -> None:
        for name in names:
            classifier.infer(classifier.decode(Path(name).read_bytes()).pixels[np.newaxis])

    return run


def command(workers: int) -> Way:
    """Return the command with a number of workers."""

    def run(names: Sequence[str]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            words = ["classify", *names, "--out", str(Path(folder, "p.parquet")), "--workers", str(workers)]
            subprocess.run([sys.executable, "-m", "animals", *words], check=True, capture_output=True)  # noqa: S603

    return run


def timed(run: Way, names: Sequence[str]) -> float:
    """Return the CPU seconds of this process and of its processes that have ended."""
    before = os.times()
    run(names)
    return sum(os.times()[:4]) - sum(before[:4])


def main() -> None:
    """Time each way in turn, and print the median of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="a folder of pictures")
    parser.add_argument("--repeat", type=int, default=3, help="repetitions [3]")
    arguments = parser.parse_args()
    names = find_pictures([arguments.source])
    ways = {"classifier alone": loop(), "1 worker": command(1), "2 workers": command(2)}
    spent: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    for _ in range(arguments.repeat):
        for way, run in ways.items():
            spent[way].append((timed(run, names[:FIRST]), timed(run, names)))
    sys.stdout.write(f"{len(names)} pictures, median of {arguments.repeat}\n\n")
    rows = []
    for way, pairs in spent.items():
        start, whole = (statistics.median(column) for column in zip(*pairs, strict=True))
        rows.append([way, f"{start:.2f}", f"{(len(names) - FIRST) / (whole - start):.1f}"])
    sys.stdout.write(table(["", "the first 40, s of CPU", "then pictures a second of CPU"], rows) + "\n")


if __name__ == "__main__":
    main()
