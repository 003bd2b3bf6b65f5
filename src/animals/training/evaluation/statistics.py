"""What a count of pictures says about all pictures like them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, false_discovery_control, fisher_exact

from animals.training.evaluation.records import Share

SIGNIFICANT: Final = 0.05
"""Under this, a p-value is taken for more than chance."""


def share_of(found: NDArray[np.bool_]) -> Share:
    """The part that is True, with Wilson's 95 % interval, which holds for few pictures and for 0 % and 100 % too."""
    count, pictures = int(found.sum()), len(found)
    interval = binomtest(count, pictures).proportion_ci(method="wilson")
    # rounding may carry an end beyond what a share can be
    low, high = np.clip((interval.low, interval.high), 0, 1)
    return Share(count=count, pictures=pictures, share=count / pictures, low=low, high=high)


def p_lower(inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> float:
    """Fisher's exact test: how probable so small a share inside is if both are drawn from the same pictures."""
    table = [[int(part.sum()), int((~part).sum())] for part in (inside, outside)]
    return float(fisher_exact(table, alternative="less").pvalue)


def adjust(p_values: Sequence[float]) -> list[float]:
    """The same after Benjamini and Hochberg: of those under 5 %, one in twenty is chance, however many are tested."""
    return [float(value) for value in false_discovery_control(p_values)]


def p_mcnemar(only_this: int, only_other: int) -> float:
    """McNemar's exact test: how probable so uneven counts are if both are right equally often."""
    return float(binomtest(only_this, only_this + only_other).pvalue) if only_this + only_other else 1.0


def spread_sample(targets: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Places of up to `most` pictures, of each label its share, in ascending order and the same each time."""
    if len(targets) <= most:
        return np.arange(len(targets))
    shuffled = np.random.default_rng(0).permutation(len(targets))
    by_label = shuffled[np.argsort(targets[shuffled], kind="stable")]
    return np.sort(by_label[np.linspace(0, len(targets), most, endpoint=False).astype(np.int64)])
