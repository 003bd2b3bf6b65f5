"""The newest report as Prometheus metrics."""

from prometheus_client.parser import text_string_to_metric_families

from animals.api import Summary
from animals.monitoring.gauges import gauges
from tests.support.findings import DRIFTED, decided, feedback


def values(summary: Summary | None) -> dict[str, float]:
    """Values by name, or by feature where there are several."""
    return {
        sample.labels.get("feature", sample.name): sample.value
        for family in text_string_to_metric_families(gauges(summary).decode())
        for sample in family.samples
    }


def test_without_a_report_there_are_no_metrics() -> None:
    assert values(None) == {}


def test_without_feedback_no_accuracy_is_exported() -> None:
    found = decided()
    assert values(found) == {
        "animals_report_created_timestamp_seconds": found.created.timestamp(),
        "animals_labelled_pictures": 0,
        "animals_retrain": 0,
        "animals_feedback_records": 0,
        "animals_feedback_less_accurate": 0,
        "animals_test_accuracy": 0.9,
        "animals_drift": 0,
        "animals_drift_days": 0,
    }


def test_a_lower_accuracy_and_drift_are_exported() -> None:
    found = values(decided(feedback=feedback(100, 75, (0.65, 0.83)), drift=DRIFTED, days_drifted=3, pictures=60))
    assert found["animals_feedback_records"] == 100
    assert found["animals_feedback_accuracy"] == 0.75
    assert found["animals_feedback_less_accurate"] == 1
    assert (found["animals_drift"], found["animals_drift_days"], found["brightness"]) == (1, 3, 2)
    assert (found["animals_retrain"], found["animals_labelled_pictures"]) == (1, 60)
