"""How far a model's confidence can be taken at its word, and the one number that improves it.

Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks"): all logits are divided by one
number that is fitted on the validation pictures. No answer changes, only how sure it is.
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
    """Confidence against accuracy, in bins of confidence; each of shape (`BINS`,), NaN in empty bins."""

    pictures: NDArray[np.int64]
    confidence: NDArray[np.float64]
    """Mean probability of the given answers."""
    accuracy: NDArray[np.float64]
    """Share of them that is right."""

    @property
    def ece(self) -> float:
        """Expected calibration error: the distance between confidence and accuracy, in the mean over pictures."""
        filled = self.pictures > 0
        gaps = np.abs(self.confidence - self.accuracy)[filled]
        return float(np.average(gaps, weights=self.pictures[filled]))


def reliability(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Reliability:
    """Sort answers by their confidence.

    Args:
        probabilities: shape (pictures, labels).
        targets: places of the right labels, shape (pictures,).
    """
    confidence = probabilities.max(1)
    right = (probabilities.argmax(1) == targets).astype(np.float64)
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)  # a confidence of 1 is in the last bin
    pictures = np.bincount(bins, minlength=BINS)
    filled = np.where(pictures, pictures, np.nan)
    sums = (np.bincount(bins, values, minlength=BINS) for values in (confidence, right))
    return Reliability(pictures, *(values / filled for values in sums))


def fit_temperature(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """The temperature under which the right labels are likeliest.

    Where a few pictures are all answered right, the likeliest temperature is the lowest there is. So a temperature
    is also held to be the less likely the further it is from 1 (its logarithm as from a standard normal
    distribution), which a hundred pictures outweigh by far.

    Args:
        logits: of pictures that the model was not trained on, shape (pictures, labels).
        targets: places of the right labels, shape (pictures,).

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
    """Fit a temperature on one split, and measure on another what it is good for.

    Returns:
        `test` with the temperature, and how well its probabilities hold without and with it.
    """
    after = replace(test, temperature=fit_temperature(val.logits, val.targets))
    before, now = (reliability(answers.probabilities, test.targets).ece for answers in (test, after))
    return after, Calibration(pictures=len(val.rows), bins=BINS, ece_before=before, ece_after=now)
