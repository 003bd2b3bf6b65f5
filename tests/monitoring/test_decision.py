"""When it is time to train again, as a table."""

from typing import Any

import pytest

from animals.monitoring.decision import Policy, decide, is_less_accurate
from animals.monitoring.summary import FeedbackSummary
from tests.support.findings import DRIFTED, UNCHECKED, feedback, findings

WORSE = feedback(100, 75, (0.65, 0.83))
AS_GOOD = feedback(100, 85, (0.77, 0.91))
A_LITTLE_WORSE = feedback(10_000, 8_700, (0.86, 0.88))
TOO_FEW = feedback(29, 10, (0.2, 0.53))
DRIFTS = {"drift": DRIFTED, "days_drifted": 3}


@pytest.mark.parametrize(
    ("found", "retrain", "said"),
    [
        ({}, False, ("0 answers were judged; 30 are", "400 pictures look the same", "0 new labelled pictures; 500")),
        ({"pictures": 499}, False, ("judged", "same", "499 new labelled pictures; 500 are needed.")),
        ({"pictures": 500}, True, ("500 new labelled pictures to learn from",)),
        ({"feedback": WORSE}, False, ("75 of 100", "0 new labelled pictures; 50 are needed to learn from")),
        ({"feedback": WORSE, "pictures": 49}, False, ("75 of 100", "49 new labelled pictures; 50")),
        ({"feedback": WORSE, "pictures": 50}, True, ("75 of 100 judged answers were right (65% to 83%)", "50 new")),
        ({"feedback": WORSE, "pictures": 500}, True, ("75 of 100", "500 new")),
        (
            {"feedback": AS_GOOD, "pictures": 50},
            False,
            ("not significantly less", "same", "50 new labelled pictures; 5"),
        ),
        ({"feedback": A_LITTLE_WORSE, "pictures": 50}, False, ("not significantly less", "same", "500 are needed")),
        ({"feedback": TOO_FEW, "pictures": 50}, False, ("29 answers were judged; 30 are needed", "same", "500")),
        (DRIFTS, False, ("drifted on the last 3 days in a row. 400 pictures differ, in brightness", "50 are needed")),
        (DRIFTS | {"pictures": 50}, True, ("in a row", "50 new")),
        (
            DRIFTS | {"days_drifted": 2, "pictures": 50},
            False,
            ("judged", "drifted on 2 of the 3 days that count. 4", "5"),
        ),
        (DRIFTS | {"feedback": TOO_FEW, "pictures": 60}, True, ("in a row", "60 new")),
        (DRIFTS | {"feedback": WORSE, "pictures": 60}, True, ("75 of 100", "in a row", "60 new")),
        (DRIFTS | {"feedback": WORSE}, False, ("75 of 100", "in a row", "50 are needed to learn from")),
        ({"drift": UNCHECKED, "pictures": 50}, False, ("judged", "Too little to tell", "500")),
    ],
)
def test_it_is_time_to_train_again_when_there_is_a_reason_and_something_to_learn_from(
    found: dict[str, Any], retrain: bool, said: tuple[str, ...]
) -> None:
    decision = decide(findings(**found))
    assert decision.retrain is retrain
    assert len(decision.reasons) == len(said)
    for words, reason in zip(said, decision.reasons, strict=True):
        assert words in reason
        assert reason.endswith(".")


def test_the_policy_says_how_much_is_enough() -> None:
    policy = Policy(feedback=10, drop=0, days=1, some_pictures=5, many_pictures=10)
    for found in ({"pictures": 10}, {"pictures": 5, "feedback": WORSE}, {"pictures": 5, "days_drifted": 1}):
        assert not decide(findings(**found)).retrain
        assert decide(findings(**found), policy).retrain


@pytest.mark.parametrize(
    ("judged", "less"),
    [
        (WORSE, True),
        (AS_GOOD, False),
        (A_LITTLE_WORSE, False),  # significantly, but by three points of a hundred
        (TOO_FEW, False),
        (feedback(), False),
        (feedback(30, 15, (0.33, 0.67)), True),
    ],
)
def test_few_judgements_or_a_small_difference_do_not_make_a_model_less_accurate(
    judged: FeedbackSummary, less: bool
) -> None:
    assert is_less_accurate(judged) is less
