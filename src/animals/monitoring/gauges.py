"""The newest report as Prometheus metrics; dockerfiles/prometheus/alerts.yml has alerts on them."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from animals.api import Summary
from animals.monitoring.decision import is_less_accurate


def gauges(summary: Summary | None) -> bytes:
    """Return the metrics in Prometheus's text format; empty without a report."""
    registry = CollectorRegistry()
    if summary is None:
        return generate_latest(registry)
    feedback = summary.feedback
    less_accurate = "1 if the accuracy on feedback is significantly lower than the test accuracy."
    for name, meaning, value in (
        ("animals_report_created_timestamp_seconds", "Creation time.", summary.created.timestamp()),
        ("animals_labelled_pictures", "New labelled pictures to train on.", summary.pictures),
        ("animals_retrain", "1 if the decision is to retrain.", summary.decision.retrain),
        ("animals_feedback_records", "Feedback records of the report's days.", feedback.records),
        ("animals_feedback_less_accurate", less_accurate, is_less_accurate(feedback)),
        ("animals_test_accuracy", "Accuracy on the test pictures.", feedback.reference_accuracy),
        ("animals_feedback_accuracy", "Accuracy on feedback.", feedback.accuracy),
        ("animals_drift", "1 if the pictures of the report's days drifted.", summary.drift.drifted),
        ("animals_drift_days", "Latest days in a row with drift.", summary.days_drifted),
    ):
        if value is not None:
            Gauge(name, meaning, registry=registry).set(value)
    sizes = Gauge("animals_drift_size", "Effect size divided by its threshold.", ["feature"], registry=registry)
    for feature in summary.drift.features:
        sizes.labels(feature.feature).set(feature.statistic / feature.threshold)
    return generate_latest(registry)
