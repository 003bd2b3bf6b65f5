"""Two versions are compared picture by picture."""

import numpy as np
import pytest

from animals.training.evaluation.compare import Baseline, compare


@pytest.mark.parametrize(
    ("only_this", "only_other", "verdict"),
    [
        (0, 0, "no difference"),
        (5, 0, "no difference"),
        (6, 0, "better"),
        (0, 6, "worse"),
        (20, 10, "no difference"),
        (20, 8, "better"),
        (8, 20, "worse"),
    ],
)
def test_the_verdict_follows_from_the_pictures_that_only_one_labels_correctly(
    only_this: int, only_other: int, verdict: str
) -> None:
    counts = (only_this, only_other, 50, 30)
    correct = np.repeat([True, False, True, False], counts)
    other = np.repeat([False, True, True, False], counts)
    result = compare(correct, Baseline("r1", other))
    assert (result.against, result.only_this, result.only_other, result.verdict) == (
        "r1",
        only_this,
        only_other,
        verdict,
    )
