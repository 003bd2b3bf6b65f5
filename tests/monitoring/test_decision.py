"""The decision whether to retrain, as a table."""

from typing import Any

import pytest

from animals.api import FeedbackSummary
from animals.monitoring.decision import Policy, decide, is_less_accurate
from tests.support.findings import DRIFTED, UNCHECKED, feedback, findings

WORSE = feedback(100, 75, (0.65, 0.83))
AS_GOOD = feedback(100, 85, (0.77, 0.91))
A_LITTLE_WORSE = feedback(10_000, 8_700, (0.86, 0.88))
TOO_FEW = feedback(29, 10, (0.2, 0.53))
DRIFTS = {"drift": DRIFTED, "days_drifted": 3}


@pytest.mark.parametrize(
    ("changes", "retrain", "parts"),
    [
        ({}, False, ("0 feedback records; 30 are", "400 pictures show no drift", "0 new labelled pictures; 500")),
        ({"pictures": 499}, False, ("feedback", "no drift", "499 new labelled pictures; 500 are needed.")),
        ({"pictures": 500}, True, ("500 new labelled pictures to train on",)),
        ({"feedback": WORSE}, False, ("75 of 100", "0 new labelled pictures; 50 are needed")),
        ({"feedback": WORSE, "pictures": 49}, False, ("75 of 100", "49 new labelled pictures; 50")),
        (
            {"feedback": WORSE, "pictures": 50},
            True,
            ("75 of 100 (65% to 83%), is significantly lower than the test accuracy of 90%", "50 new"),
        ),
        ({"feedback": WORSE, "pictures": 500}, True, ("75 of 100", "500 new")),
        (
            {"feedback": AS_GOOD, "pictures": 50},
            False,
            ("not significantly lower", "no drift", "50 new labelled pictures; 5"),
        ),
        (
            {"feedback": A_LITTLE_WORSE, "pictures": 50},
            False,
            ("not significantly", "no drift", "500 are needed"),
        ),
        ({"feedback": TOO_FEW, "pictures": 50}, False, ("29 feedback records; 30 are needed", "no drift", "500")),
        (DRIFTS, False, ("drifted on the last 3 days in a row. 400 pictures drifted, in brightness", "50 are needed")),
        (DRIFTS | {"pictures": 50}, True, ("in a row", "50 new")),
        (
            DRIFTS | {"days_drifted": 2, "pictures": 50},
            False,
            ("feedback", "drifted on 2 days in a row; 3 are needed. 4", "5"),
        ),
        (DRIFTS | {"feedback": TOO_FEW, "pictures": 60}, True, ("in a row", "60 new")),
        (DRIFTS | {"feedback": WORSE, "pictures": 60}, True, ("75 of 100", "in a row", "60 new")),
        (DRIFTS | {"feedback": WORSE}, False, ("75 of 100", "in a row", "50 are needed")),
        ({"drift": UNCHECKED, "pictures": 50}, False, ("feedback", "Too few pictures", "500")),
    ],
)
def test_the_decision_to_retrain_needs_a_problem_and_new_pictures_or_many_of_them(
    changes: dict[str, Any], retrain: bool, parts: tuple[str, ...]
) -> None:
    decision = decide(findings(**changes))
    assert decision.retrain is retrain
    assert len(decision.reasons) == len(parts)
    for part, reason in zip(parts, decision.reasons, strict=True):
        assert part in reason
        assert reason.endswith(".")


def test_a_policy_sets_the_thresholds() -> None:
    policy = Policy(feedback=10, drop=0, days=1, some_pictures=5, many_pictures=10)
    for changes in ({"pictures": 10}, {"pictures": 5, "feedback": WORSE}, {"pictures": 5, "days_drifted": 1}):
        assert not decide(findings(**changes)).retrain
        assert decide(findings(**changes), policy).retrain


@pytest.mark.parametrize(
    ("summary", "less"),
    [
        (WORSE, True),
        (AS_GOOD, False),
        (A_LITTLE_WORSE, False),  # significantly, but by three points of a hundred
        (TOO_FEW, False),
        (feedback(), False),
        (feedback(30, 15, (0.33, 0.67)), True),
    ],
)
def test_little_feedback_or_a_small_difference_does_not_make_a_model_less_accurate(
    summary: FeedbackSummary, less: bool
) -> None:
    assert is_less_accurate(summary) is less
