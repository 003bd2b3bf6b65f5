"""Calibration: how far confidence and accuracy differ, and the temperature that brings them together.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks") divides all logits by one number that
is fitted on the validation pictures. The predicted labels stay the same; the confidence changes.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from animals.records import Calibration
from animals.training.evaluation.metrics import Evaluation

BINS: Final = 15
"""Bins of equal width from 0 to 1, as in the paper."""

BOUNDS: Final = (0.1, 10.0)
"""Lowest and highest temperature."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """Confidence and accuracy in bins of confidence; each of shape (`BINS`,), NaN in empty bins."""

    pictures: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Mean probability of the predicted labels."""
    accuracy: NDArray[np.float64]
    """Share of them that is correct."""

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean distance between confidence and accuracy, over pictures."""
        filled = self.pictures > 0
        gaps = np.abs(self.confidence - self.accuracy)[filled]
        return float(np.average(gaps, weights=self.pictures[filled]))


def reliability(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Reliability:
    """Measure confidence and accuracy in each bin.

    Args:
        probabilities: shape (pictures, labels).
        targets: indices of the correct labels, shape (pictures,).
    """
    confidence = probabilities.max(1)
    correct = (probabilities.argmax(1) == targets).astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)  # a confidence of 1 is in the last bin
    pictures = np.bincount(bins, minlength=BINS)
    filled = np.where(pictures, pictures, np.nan)
    sums = (np.bincount(bins, values, minlength=BINS) for values in (confidence, correct))
    return Reliability(pictures, *(values / filled for values in sums))


def fit_temperature(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Fit the temperature that gives the correct labels the highest likelihood.

    Where a few pictures are all labelled correctly, the likelihood is highest at the lowest temperature. So the
    logarithm of the temperature has a standard normal prior, which a hundred pictures outweigh by far.

    Args:
        logits: of pictures that the model was not trained on, shape (pictures, labels).
        targets: indices of the correct labels, shape (pictures,).

    Returns:
        Within `BOUNDS`, the same each time.
    """

    def cost(log_temperature: float) -> float:
        log_probabilities = log_softmax(logits / math.exp(log_temperature), axis=1)
        likelihood = np.take_along_axis(log_probabilities, targets[:, None], 1).sum()
        return float(log_temperature**2 / 2 - likelihood)

    low, high = map(math.log, BOUNDS)
    return math.exp(minimize_scalar(cost, bounds=(low, high), method="bounded").x)


def calibrate(val: Evaluation, test: Evaluation) -> tuple[Evaluation, Calibration]:
    """Fit a temperature on one split, and measure the calibration error on another.

    Returns:
        `test` with the temperature, and its calibration error without and with it.
    """
    calibrated = replace(test, temperature=fit_temperature(val.logits, val.targets))
    before, after = (reliability(it.probabilities, test.targets).ece for it in (test, calibrated))
    return calibrated, Calibration(pictures=len(val.rows), bins=BINS, ece_before=before, ece_after=after)
