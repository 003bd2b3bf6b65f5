"""One version against another, picture by picture."""

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
def test_the_verdict_follows_from_the_pictures_that_one_alone_has_right(
    only_this: int, only_other: int, verdict: str
) -> None:
    counts = (only_this, only_other, 50, 30)
    right = np.repeat([True, False, True, False], counts)
    other = np.repeat([False, True, True, False], counts)
    found = compare(right, Baseline("r1", other))
    assert (found.against, found.only_this, found.only_other, found.verdict) == ("r1", only_this, only_other, verdict)
