"""What the newest report found, as numbers for Prometheus; dockerfiles/prometheus/alerts.yml watches them."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from animals.monitoring.decision import is_less_accurate
from animals.monitoring.summary import FeedbackSummary, Summary


def gauges(summary: Summary | None) -> bytes:
    """In Prometheus's text format; nothing where there is no report yet."""
    registry = CollectorRegistry()
    if summary is not None:
        _set(registry, "animals_report_created_timestamp_seconds", "When it was made.", summary.created.timestamp())
        _set(registry, "animals_labelled_pictures", "New ones, to learn from.", summary.pictures)
        _set(registry, "animals_retrain", "1 where it is time to train again.", summary.decision.retrain)
        _feedback(registry, summary.feedback)
        _drift(registry, summary)
    return generate_latest(registry)


def _feedback(registry: CollectorRegistry, feedback: FeedbackSummary) -> None:
    _set(registry, "animals_feedback_records", "Judged answers in the report's days.", feedback.records)
    _set(
        *(registry, "animals_feedback_less_accurate", "1 where they are right significantly less often than the test."),
        is_less_accurate(feedback),
    )
    _set(registry, "animals_test_accuracy", "Of the answers to the test pictures.", feedback.reference_accuracy)
    if feedback.accuracy is not None:
        _set(registry, "animals_feedback_accuracy", "Share of the judged answers that were right.", feedback.accuracy)


def _drift(registry: CollectorRegistry, summary: Summary) -> None:
    _set(registry, "animals_drift", "1 where the pictures are not like those of the test.", summary.drift.drifted)
    _set(registry, "animals_drift_days", "Last days in a row on which they were not.", summary.days_drifted)
    sizes = Gauge("animals_drift_size", "Of the difference, in limits.", ["feature"], registry=registry)
    for feature in summary.drift.features:
        sizes.labels(feature.feature).set(feature.statistic / feature.threshold)


def _set(registry: CollectorRegistry, name: str, meaning: str, value: float) -> None:
    Gauge(name, meaning, registry=registry).set(value)
