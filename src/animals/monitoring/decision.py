"""Whether to train again: a pure function of what a report found."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import Field

from animals.monitoring.summary import Decision, FeedbackSummary, Findings
from animals.records import Probability, Record

Count = Annotated[int, Field(ge=1)]


class Policy(Record):
    """When it is time to train again.

    A training learns only from pictures that it has not had. So worse answers and drift call for one as soon as there
    are some new labelled pictures, and many such pictures call for one by themselves.
    """

    feedback: Count = 30
    """Judged answers under which nothing is concluded from them."""
    drop: Probability = 0.05
    """By how much the accuracy must have fallen, at the least: people judge wrong answers more readily than right ones,
    and the accuracy on the test split is not exact either."""
    days: Count = 3
    """In a row on which the predictions drifted; one day may be one person's holiday."""
    some_pictures: Count = 50
    """New labelled pictures without which a training would give the same model again."""
    many_pictures: Count = 500
    """New labelled pictures that are worth a training although nothing is wrong."""


DEFAULTS: Final = Policy()


def decide(findings: Findings, policy: Policy = DEFAULTS) -> Decision:
    """Whether to train again, and why or why not."""
    wrong = [*_less_accurate(findings.feedback, policy), *_drifted(findings, policy)]
    needed = min(policy.some_pictures, policy.many_pictures) if wrong else policy.many_pictures
    if findings.pictures >= needed:
        enough = f"There are {findings.pictures} new labelled pictures to learn from."
        return Decision(retrain=True, reasons=(*wrong, enough))
    too_few = f"There are {findings.pictures} new labelled pictures; {needed} are needed"
    return Decision(
        retrain=False,
        reasons=(*wrong, f"{too_few} to learn from.") if wrong else (*_all_well(findings, policy), f"{too_few}."),
    )


def is_less_accurate(feedback: FeedbackSummary, policy: Policy = DEFAULTS) -> bool:
    """Whether the judged answers are significantly less often right than those to the test pictures."""
    if feedback.interval is None or feedback.records < policy.feedback:
        return False
    return feedback.interval[1] < feedback.reference_accuracy - policy.drop


def _less_accurate(feedback: FeedbackSummary, policy: Policy) -> Iterator[str]:
    if is_less_accurate(feedback, policy):
        yield f"{_judged(feedback)}: significantly less often than the {_expected(feedback)}."


def _drifted(findings: Findings, policy: Policy) -> Iterator[str]:
    if findings.days_drifted >= policy.days:
        yield f"The pictures drifted on the last {findings.days_drifted} days in a row. {findings.drift.reason}"


def _all_well(findings: Findings, policy: Policy) -> Iterator[str]:
    feedback, days = findings.feedback, findings.days_drifted
    if feedback.records < policy.feedback:
        yield f"{feedback.records} answers were judged; {policy.feedback} are needed to tell how good they are."
    else:
        yield f"{_judged(feedback)}: not significantly less often than the {_expected(feedback)}."
    begun = f"The pictures drifted on {days} of the {policy.days} days that count. " if days else ""
    yield f"{begun}{findings.drift.reason}"


def _judged(feedback: FeedbackSummary) -> str:
    low, high = feedback.interval or (0, 1)
    return f"{feedback.right} of {feedback.records} judged answers were right ({low:.0%} to {high:.0%})"


def _expected(feedback: FeedbackSummary) -> str:
    return f"{feedback.reference_accuracy:.0%} of the test pictures"
