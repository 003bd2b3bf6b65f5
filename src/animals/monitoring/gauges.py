"""The newest report as Prometheus metrics; dockerfiles/prometheus/alerts.yml has alerts on them."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from animals.api import FeedbackSummary, Summary
from animals.monitoring.decision import is_less_accurate


def gauges(summary: Summary | None) -> bytes:
    """Return the metrics in Prometheus's text format; empty without a report."""
    registry = CollectorRegistry()
    if summary is not None:
        _set(registry, "animals_report_created_timestamp_seconds", "Creation time.", summary.created.timestamp())
        _set(registry, "animals_labelled_pictures", "New labelled pictures to train on.", summary.pictures)
        _set(registry, "animals_retrain", "1 if the decision is to retrain.", summary.decision.retrain)
        _set_feedback(registry, summary.feedback)
        _set_drift(registry, summary)
    return generate_latest(registry)


def _set_feedback(registry: CollectorRegistry, feedback: FeedbackSummary) -> None:
    less_accurate = "1 if the accuracy on feedback is significantly lower than the test accuracy."
    _set(registry, "animals_feedback_records", "Feedback records of the report's days.", feedback.records)
    _set(registry, "animals_feedback_less_accurate", less_accurate, is_less_accurate(feedback))
    _set(registry, "animals_test_accuracy", "Accuracy on the test pictures.", feedback.reference_accuracy)
    if feedback.accuracy is not None:
        _set(registry, "animals_feedback_accuracy", "Accuracy on feedback.", feedback.accuracy)


def _set_drift(registry: CollectorRegistry, summary: Summary) -> None:
    _set(registry, "animals_drift", "1 if the pictures of the report's days drifted.", summary.drift.drifted)
    _set(registry, "animals_drift_days", "Latest days in a row with drift.", summary.days_drifted)
    sizes = Gauge("animals_drift_size", "Effect size divided by its threshold.", ["feature"], registry=registry)
    for feature in summary.drift.features:
        sizes.labels(feature.feature).set(feature.statistic / feature.threshold)


def _set(registry: CollectorRegistry, name: str, meaning: str, value: float) -> None:
    Gauge(name, meaning, registry=registry).set(value)
