"""Metrics for Prometheus at `GET /metrics`; docs/design/predictions.md lists the names."""

from collections.abc import Iterable
from datetime import datetime
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

Stage = Literal["read", "decode", "queue", "inference"]
Outcome = Literal["served", "refused", "unavailable"]
"""Of a check for another version: it serves now; it is broken or does not fit; the bucket is unavailable or empty."""

STAGES: Final[tuple[Stage, ...]] = ("read", "decode", "queue", "inference")
OUTCOMES: Final[tuple[Outcome, ...]] = ("served", "refused", "unavailable")
OTHER: Final = "other"
"""Label of every path that is no route: clients must not be able to add labels."""

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SHARES: Final = tuple(share / 10 for share in range(1, 11))


class Metrics:
    """The metrics of one service, in a registry of its own; every method is thread-safe and takes microseconds."""

    def __init__(self) -> None:
        # process_start_time_seconds tells when counting began, for all of them
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)  # memory, CPU seconds, open files, start
        self._requests = Counter("animals_requests", "Answered requests.", ["route", "status"], registry=registry)
        self.in_flight = Gauge("animals_requests_in_flight", "Requests not yet answered.", registry=registry)
        self._request_seconds = Histogram(
            "animals_request_seconds", "From request to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        stages = Histogram(
            "animals_stage_seconds", "Parts of a request.", ["stage"], buckets=_SECONDS, registry=registry
        )
        self.stages = {stage: stages.labels(stage) for stage in STAGES}
        self.shed = Counter("animals_requests_shed", "Requests refused because too many waited.", registry=registry)
        self._model = Gauge("animals_model_info", "1 for the version that serves.", ["version"], registry=registry)
        self._model_created = Gauge(
            "animals_model_created_timestamp_seconds",
            "When the version that serves was made; 0 while none does.",
            registry=registry,
        )
        reloads = Counter("animals_reloads", "Looks for another version.", ["outcome"], registry=registry)
        self.reloads = {outcome: reloads.labels(outcome) for outcome in OUTCOMES}
        self._predictions = Counter("animals_predictions", "Answers.", ["label"], registry=registry)
        self._confidence = Histogram(
            "animals_prediction_confidence", "Of answers.", ["label"], buckets=_SHARES, registry=registry
        )
        self._feedback = Counter(
            "animals_feedback",
            "Stored feedback records by the user's label, and whether the prediction was the same.",
            ["label", "right"],
            registry=registry,
        )
        entries = Counter(
            "animals_prediction_log_entries", "Entries of the prediction log.", ["outcome"], registry=registry
        )
        self.written, self.dropped = entries.labels("written"), entries.labels("dropped")

    def count_prediction(self, label: str, confidence: float) -> None:
        """Count one prediction."""
        self._predictions.labels(label).inc()
        self._confidence.labels(label).observe(confidence)

    def count_feedback(self, label: str, *, right: bool) -> None:
        """Count one stored feedback record by the label that the person gave."""
        self._feedback.labels(label, "true" if right else "false").inc()

    def set_model(self, version: str, labels: Iterable[str], created: datetime) -> None:
        """Set the version that serves."""
        self._model_created.set(created.timestamp())
        self._model.clear()
        self._model.labels(version).set(1)
        for label in labels:  # rate() does not see the first increase of a series that begins with it
            self._predictions.labels(label)
            self._confidence.labels(label)
            for right in ("true", "false"):
                self._feedback.labels(label, right)

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count one answered request by the template of its path, such as `/classify`, or `OTHER`."""
        self._requests.labels(route, str(int(status))).inc()
        self._request_seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
