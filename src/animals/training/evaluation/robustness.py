"""How much of the accuracy is left on spoiled pictures."""

import numpy as np
from numpy.typing import NDArray

from animals.concurrency import progress_bar
from animals.training.evaluation.corruptions import CORRUPTIONS, SEVERITIES, Corruption
from animals.training.evaluation.predictors import BATCH, Ask
from animals.training.evaluation.records import Robustness


def measure_robustness(
    ask: Ask, pixels: NDArray[np.uint8], targets: NDArray[np.int64], seeds: NDArray[np.int64]
) -> Robustness:
    """Ask about each picture under every corruption at every severity, with a progress bar.

    Args:
        ask: the model.
        pixels: shape (pictures, side, side, 3).
        targets: places of the right labels, shape (pictures,).
        seeds: one a picture, shape (pictures,).
    """
    accuracy: dict[str, tuple[float, ...]] = {}
    with progress_bar() as progress:
        task = progress.add_task("Spoiling pictures", total=len(CORRUPTIONS) * len(SEVERITIES))
        for corruption in CORRUPTIONS:
            for severity in SEVERITIES:
                found = _accuracy(ask, corruption, severity, pixels, targets, seeds)
                accuracy[corruption.name] = (*accuracy.get(corruption.name, ()), found)
                progress.advance(task)
    return Robustness(
        pictures=len(pixels),
        clean=float((ask(pixels).argmax(1) == targets).mean()),
        mean=float(np.mean(list(accuracy.values()))),
        accuracy=accuracy,
    )


def _accuracy(
    ask: Ask,
    corruption: Corruption,
    severity: int,
    pixels: NDArray[np.uint8],
    targets: NDArray[np.int64],
    seeds: NDArray[np.int64],
) -> float:
    right = 0
    for first in range(0, len(pixels), BATCH):  # so that only a few spoiled pictures are in memory
        part = slice(first, first + BATCH)
        answers = ask(corruption(pixels[part], severity, seeds[part])).argmax(1)
        right += int((answers == targets[part]).sum())
    return right / len(pixels)
