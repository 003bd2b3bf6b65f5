"""The time that a run may take: `trainer.minutes`."""

import math
import time
from dataclasses import dataclass
from typing import Final

import torch
from torch import nn

from animals.data.dataset import DataSet

FINISH: Final = 25.0
"""Seconds for export, quantization and publishing on two CPU cores, apart from what grows with the pictures."""

EXTRA_PICTURES: Final = 400
"""Pictures that a finished network predicts besides those of val and test: to calibrate, to check, and unknowns."""

TIMED: Final = 8
"""Pictures on which a network is timed."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Time from the start of the command to the published version."""

    seconds: float
    """`math.inf`: no limit."""
    started: float
    """By `time.monotonic()`."""

    @classmethod
    def of(cls, minutes: float, started: float | None = None) -> "Budget":
        """Return the budget of a run; 0 minutes are no limit, and `started` is now by default."""
        return cls(60 * minutes or math.inf, time.monotonic() if started is None else started)

    @property
    def limited(self) -> bool:
        """Whether there is a limit."""
        return math.isfinite(self.seconds)

    def left(self) -> float:
        """Return the seconds that are left."""
        return self.started + self.seconds - time.monotonic()

    def left_for_training(self, network: nn.Module, data_set: DataSet, *, validations: int = 1) -> float:
        """Return the seconds that are left for training, without those of evaluation, export and publishing.

        Args:
            network: on the CPU, where a finished network is evaluated in ONNX Runtime; it is timed.
            data_set: the pictures.
            validations: times that torch predicts the validation pictures after the training's time is over.
        """
        if not self.limited:
            return math.inf
        counts = data_set.counts()
        # in 32 and in 8 bits, the test pictures once more for the reference
        pictures = (1.5 + validations) * counts["val"] + 2 * counts["test"] + EXTRA_PICTURES
        return self.left() - FINISH - pictures * seconds_per_picture(network, data_set.spec.side)


def seconds_per_picture(network: nn.Module, side: int) -> float:
    """Return the seconds that a network on the CPU takes to predict a picture."""
    training = network.training
    network.eval()
    pictures = torch.zeros(TIMED, 3, side, side)
    with torch.inference_mode():
        network.forward(pictures[:1])  # allocates memory; a compiled network is not compiled for it
        started = time.perf_counter()
        network.forward(pictures)
        seconds = time.perf_counter() - started
    network.train(training)
    return seconds / TIMED
