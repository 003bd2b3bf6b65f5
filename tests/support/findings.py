"""Findings of made-up reports."""

from datetime import UTC, datetime
from typing import Any

from animals.api import Decision, Drift, FeatureDrift, FeedbackSummary, Findings, PredictionsSummary, Summary
from animals.monitoring.decision import decide

QUIET = Drift(checked=True, drifted=False, reason="400 pictures show no drift.")
DARK = FeatureDrift(
    feature="brightness", test="Kolmogorov-Smirnov", statistic=0.4, threshold=0.2, p_value=0, drifted=True
)
DRIFTED = Drift(checked=True, drifted=True, reason="400 pictures drifted, in brightness.", features=(DARK,))
UNCHECKED = Drift(checked=False, drifted=False, reason="Too few pictures.")


def feedback(records: int = 0, right: int = 0, interval: tuple[float, float] | None = None) -> FeedbackSummary:
    """Return the feedback on a version with a test accuracy of 90 %."""
    return FeedbackSummary(
        records=records,
        sampled=records,
        right=right,
        accuracy=right / records if records else None,
        interval=interval,
        reference_accuracy=0.9,
        by_day=(),
        labels={},
        versions={},
        broken=(),
        broken_count=0,
        needed=30,
    )


def findings(**changes: Any) -> Findings:
    """Return the findings of a week without problems and without feedback."""
    quiet: dict[str, Any] = {
        "created": datetime(2026, 11, 24, 8, tzinfo=UTC),
        "days": 7,
        "version": "r1",
        "feedback": feedback(),
        "predictions": PredictionsSummary(records=400, sampled=400, by_day=(), broken_count=0),
        "drift": QUIET,
        "days_drifted": 0,
        "pictures": 0,
    }
    return Findings(**(quiet | changes))


def decided(**changes: Any) -> Summary:
    """Return the summary of a report with these findings, and the decision on them."""
    found = findings(**changes)
    return Summary(**dict(found), decision=decide(found))


def summary() -> dict[str, Any]:
    """Return the JSON of a report without problems."""
    return Summary(**dict(findings()), decision=Decision(retrain=False, reasons=())).model_dump(mode="json")
