"""Ask all forms of a model about the same pictures, in turn."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from animals.concurrency import progress_bar
from animals.preprocess import InputSpec, normalize
from animals.training.export.optimize.records import Measured

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A prepared picture of shape (1, 3, side, side) -> logits of shape (1, labels)."""


@dataclass(frozen=True, slots=True)
class Variant:
    """A form of a model."""

    name: str
    size: int
    """Of its file, in bytes."""
    answer: Answer


def measure(
    variants: Sequence[Variant], pixels: NDArray[np.uint8], targets: NDArray[np.int64], spec: InputSpec
) -> tuple[Measured, ...]:
    """Measure each form, with a progress bar.

    Every picture is answered by one form after the other: whatever else the machine does at that moment slows all of
    them alike. The first picture, on which memory is fetched, is answered twice.

    Args:
        variants: the forms; the others' labels are compared with those of the first.
        pixels: shape (pictures, side, side, 3).
        targets: places of the right labels, shape (pictures,).
        spec: how pixels are normalized.
    """
    labels = np.zeros((len(variants), len(pixels)), np.int64)
    seconds = np.zeros(labels.shape)
    with progress_bar() as progress:
        task = progress.add_task("Asking all forms", total=len(pixels))
        for picture in (0, *range(len(pixels))):
            prepared = normalize(pixels[picture : picture + 1], spec)
            for place, variant in enumerate(variants):
                started = time.perf_counter()
                logits = variant.answer(prepared)
                seconds[place, picture] = time.perf_counter() - started
                labels[place, picture] = logits[0].argmax()
            progress.update(task, completed=picture + 1)
    return tuple(
        Measured(
            name=variant.name,
            size=variant.size,
            latency=1000 * float(np.median(seconds[place])),
            accuracy=float((labels[place] == targets).mean()),
            same_label=float((labels[place] == labels[0]).mean()),
        )
        for place, variant in enumerate(variants)
    )
