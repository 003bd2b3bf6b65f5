"""What the newest report found, as Prometheus reads it."""

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from animals.api import Summary
from animals.monitoring.decision import decide
from animals.monitoring.gauges import gauges
from tests.support.findings import DRIFTED, feedback, findings


def summary(**changes: Any) -> Summary:
    found = findings(**changes)
    return Summary(**dict(found), decision=decide(found))


def told(found: Summary | None) -> dict[str, float]:
    """Values by name, or by feature where there are several."""
    return {
        sample.labels.get("feature", sample.name): sample.value
        for family in text_string_to_metric_families(gauges(found).decode())
        for sample in family.samples
    }


def test_without_a_report_nothing_is_told() -> None:
    assert told(None) == {}


def test_a_quiet_week_is_told_without_an_accuracy_that_nobody_measured() -> None:
    found = summary()
    assert told(found) == {
        "animals_report_created_timestamp_seconds": found.created.timestamp(),
        "animals_labelled_pictures": 0,
        "animals_retrain": 0,
        "animals_feedback_records": 0,
        "animals_feedback_less_accurate": 0,
        "animals_test_accuracy": 0.9,
        "animals_drift": 0,
        "animals_drift_days": 0,
    }


def test_worse_answers_and_drift_are_told() -> None:
    found = told(summary(feedback=feedback(100, 75, (0.65, 0.83)), drift=DRIFTED, days_drifted=3, pictures=60))
    assert found["animals_feedback_records"] == 100
    assert found["animals_feedback_accuracy"] == 0.75
    assert found["animals_feedback_less_accurate"] == 1
    assert (found["animals_drift"], found["animals_drift_days"], found["brightness"]) == (1, 3, 2)
    assert (found["animals_retrain"], found["animals_labelled_pictures"]) == (1, 60)
