"""Where a model is weak: accuracy on parts of the test pictures that a person can name."""

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
"""Part of the pictures that are called dark, or bright, of low contrast, small."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some of the test pictures."""

    name: str
    meaning: str
    inside: NDArray[np.bool_]
    """Shape (pictures,)."""


def measure_slices(evaluation: Evaluation, data_set: DataSet) -> tuple[Slice, ...]:
    """Accuracy on each part that has some but not all of the pictures."""
    right = evaluation.right
    parts = [part for part in find_parts(evaluation, data_set) if part.inside.any() and not part.inside.all()]
    p_values = adjust([p_lower(right[part.inside], right[~part.inside]) for part in parts])
    return tuple(
        Slice(
            name=part.name,
            meaning=part.meaning,
            accuracy=share_of(right[part.inside]),
            p_value=p_value,
            weak=p_value < SIGNIFICANT,
        )
        for part, p_value in zip(parts, p_values, strict=True)
    )


def find_parts(evaluation: Evaluation, data_set: DataSet) -> Iterator[Part]:
    """All parts that are looked at; they may overlap and be empty."""
    brightness, contrast = evaluation.features["brightness"], evaluation.features["contrast"]
    width, height = data_set.sizes[evaluation.rows].T
    yield _ranged("dark", "brightness", brightness, _lowest(brightness))
    yield _ranged("bright", "brightness", brightness, _lowest(-brightness))
    yield _ranged("low contrast", "contrast", contrast, _lowest(contrast))
    yield _ranged("small", "pixels", width * height, _lowest(width * height))
    yield Part("portrait", "higher than wide", height > width)
    for place, label in enumerate(data_set.labels):
        yield Part(label, "label", evaluation.targets == place)


def _lowest(values: NDArray[np.number]) -> NDArray[np.bool_]:
    """The pictures at the low end; more or fewer than `END` of them where many have the same value."""
    end = np.quantile(values, END, method="lower")
    inside = np.asarray(values <= end)
    return inside if inside.mean() <= 0.5 else np.asarray(values < end)


def _ranged(name: str, quantity: str, values: NDArray[np.number], inside: NDArray[np.bool_]) -> Part:
    if not inside.any():
        return Part(name, quantity, inside)
    found = values[inside]
    low, high = (f"{end:,.2f}".removesuffix(".00") for end in (found.min(), found.max()))
    return Part(name, f"{quantity} from {low} to {high}", inside)
