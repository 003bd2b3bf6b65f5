"""The decision whether to retrain, as a pure function of a report's findings."""

from collections.abc import Iterator
from typing import Annotated, Final

from pydantic import Field

from animals.api import Decision, FeedbackSummary, Findings
from animals.records import Probability, Record

Count = Annotated[int, Field(ge=1)]


class Policy(Record):
    """The conditions for retraining.

    A training learns only from new labelled pictures. So a lower accuracy or drift triggers one as soon as there are
    some of them, and many of them trigger one by themselves.
    """

    feedback: Count = 30
    """Feedback records needed to measure the accuracy."""
    drop: Probability = 0.05
    """Least drop of the accuracy: people report wrong predictions more often than right ones, and the accuracy on the
    test split has an error too."""
    days: Count = 3
    """Days in a row with drift; a single day may be one person's holiday pictures."""
    some_pictures: Count = 50
    """New labelled pictures without which a training would give the same model again."""
    many_pictures: Count = 500
    """New labelled pictures that justify a training by themselves."""


DEFAULTS: Final = Policy()


def decide(findings: Findings, policy: Policy = DEFAULTS) -> Decision:
    """Decide whether to retrain, with the reasons."""
    problems = [*_lower_accuracy(findings.feedback, policy), *_drift(findings, policy)]
    needed = min(policy.some_pictures, policy.many_pictures) if problems else policy.many_pictures
    pictures = f"There are {findings.pictures} new labelled pictures"
    if findings.pictures >= needed:
        return Decision(retrain=True, reasons=(*problems, f"{pictures} to train on."))
    too_few = f"{pictures}; {needed} are needed."
    return Decision(retrain=False, reasons=(*(problems or _no_problems(findings, policy)), too_few))


def is_less_accurate(feedback: FeedbackSummary, policy: Policy = DEFAULTS) -> bool:
    """Return whether the accuracy on feedback is significantly lower than on the test pictures."""
    if feedback.interval is None or feedback.records < policy.feedback:
        return False
    return feedback.interval[1] < feedback.reference_accuracy - policy.drop


def _lower_accuracy(feedback: FeedbackSummary, policy: Policy) -> Iterator[str]:
    if is_less_accurate(feedback, policy):
        yield f"{_accuracy(feedback)} is significantly lower than {_test_accuracy(feedback)}."


def _drift(findings: Findings, policy: Policy) -> Iterator[str]:
    if findings.days_drifted >= policy.days:
        yield f"The pictures drifted on the last {findings.days_drifted} days in a row. {findings.drift.reason}"


def _no_problems(findings: Findings, policy: Policy) -> Iterator[str]:
    feedback, days = findings.feedback, findings.days_drifted
    if feedback.records < policy.feedback:
        yield f"There are {feedback.records} feedback records; {policy.feedback} are needed to measure the accuracy."
    else:
        yield f"{_accuracy(feedback)} is not significantly lower than {_test_accuracy(feedback)}."
    so_far = f"The pictures drifted on {days} days in a row; {policy.days} are needed. " if days else ""
    yield f"{so_far}{findings.drift.reason}"


def _accuracy(feedback: FeedbackSummary) -> str:
    low, high = feedback.interval or (0, 1)
    return f"The accuracy on feedback, {feedback.right} of {feedback.records} ({low:.0%} to {high:.0%}),"


def _test_accuracy(feedback: FeedbackSummary) -> str:
    return f"the test accuracy of {feedback.reference_accuracy:.0%}"
