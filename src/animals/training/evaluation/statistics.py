"""Confidence intervals, significance tests and stratified samples."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, false_discovery_control, fisher_exact

from animals.training.evaluation.records import Share

SIGNIFICANT: Final = 0.05
"""A p-value below this is significant."""


def share_of(flags: NDArray[np.bool_]) -> Share:
    """Return the share that is True, with its interval."""
    return share(int(flags.sum()), len(flags))


def share(count: int, pictures: int) -> Share:
    """Return a share with Wilson's 95 % interval, which also holds for few pictures, 0 % and 100 %."""
    interval = binomtest(count, pictures).proportion_ci(method="wilson")
    # rounding may bring an end outside of 0 to 1
    low, high = np.clip((interval.low, interval.high), 0, 1)
    return Share(count=count, pictures=pictures, share=count / pictures, low=low, high=high)


def format_share(measured: Share) -> str:
    """Return a share with its interval as a text."""
    return f"{measured.share:.1%} ({measured.low:.1%} to {measured.high:.1%})"


def p_lower(inside: NDArray[np.bool_], outside: NDArray[np.bool_]) -> float:
    """Return Fisher's exact p-value of the share inside being lower than the share outside."""
    table = [[int(part.sum()), int((~part).sum())] for part in (inside, outside)]
    return float(fisher_exact(table, alternative="less").pvalue)


def adjust(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values after Benjamini and Hochberg, so that at most one in twenty of those under 5 % is by chance."""
    return [float(value) for value in false_discovery_control(p_values)]


def p_mcnemar(only_this: int, only_other: int) -> float:
    """Return McNemar's exact p-value of two counts if both models are correct equally often."""
    return float(binomtest(only_this, only_this + only_other).pvalue) if only_this + only_other else 1.0


def spread_sample(targets: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return up to `most` indices, stratified by label, in ascending order and the same each time."""
    if len(targets) <= most:
        return np.arange(len(targets))
    shuffled = np.random.default_rng(0).permutation(len(targets))
    by_label = shuffled[np.argsort(targets[shuffled], kind="stable")]
    return np.sort(by_label[np.linspace(0, len(targets), most, endpoint=False).astype(np.int64)])
