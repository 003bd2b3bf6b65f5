"""Accuracy on parts of the test pictures that have a name, to find where a model is weak."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from animals.data.dataset import DataSet
from animals.training.evaluation.metrics import Evaluation
from animals.training.evaluation.records import Slice
from animals.training.evaluation.statistics import SIGNIFICANT, adjust, p_lower, share_of

END: Final = 0.2
"""Share of the pictures that count as dark, as bright, as of low contrast, as small."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the test pictures."""

    name: str
    meaning: str
    inside: NDArray[np.bool_]
    """Shape (pictures,)."""


def measure_slices(evaluation: Evaluation, data_set: DataSet) -> tuple[Slice, ...]:
    """Measure the accuracy on each part that has some but not all of the pictures."""
    correct = evaluation.correct
    parts = [part for part in find_parts(evaluation, data_set) if part.inside.any() and not part.inside.all()]
    p_values = adjust([p_lower(correct[part.inside], correct[~part.inside]) for part in parts])
    return tuple(
        Slice(
            name=part.name,
            meaning=part.meaning,
            accuracy=share_of(correct[part.inside]),
            p_value=p_value,
            weak=p_value < SIGNIFICANT,
        )
        for part, p_value in zip(parts, p_values, strict=True)
    )


def find_parts(evaluation: Evaluation, data_set: DataSet) -> Iterator[Part]:
    """Yield all parts; they may overlap or be empty."""
    brightness, contrast = evaluation.features["brightness"], evaluation.features["contrast"]
    width, height = data_set.sizes[evaluation.rows].T
    yield _ranged("dark", "brightness", brightness, _lowest(brightness))
    yield _ranged("bright", "brightness", brightness, _lowest(-brightness))
    yield _ranged("low contrast", "contrast", contrast, _lowest(contrast))
    yield _ranged("small", "pixels", width * height, _lowest(width * height))
    yield Part("portrait", "higher than wide", height > width)
    for index, label in enumerate(data_set.labels):
        yield Part(label, "label", evaluation.targets == index)


def _lowest(values: NDArray[np.number]) -> NDArray[np.bool_]:
    """Select the pictures at the low end: `END` of them, or another number where many have the same value."""
    end = np.quantile(values, END, method="lower")
    inside = np.asarray(values <= end)
    return inside if inside.mean() <= 0.5 else np.asarray(values < end)


def _ranged(name: str, quantity: str, values: NDArray[np.number], inside: NDArray[np.bool_]) -> Part:
    if not inside.any():
        return Part(name, quantity, inside)
    ends = values[inside].min(), values[inside].max()
    low, high = (f"{end:,.2f}".removesuffix(".00") for end in ends)
    return Part(name, f"{quantity} from {low} to {high}", inside)
