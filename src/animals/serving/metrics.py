"""What the service tells Prometheus at `GET /metrics`; docs/design/predictions.md lists the names."""

from collections.abc import Iterable
from contextlib import AbstractContextManager
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
"""Of a look for another version: it serves now; it is broken or does not fit; the bucket has or gives none."""

STAGES: Final[tuple[Stage, ...]] = ("read", "decode", "queue", "inference")
OUTCOMES: Final[tuple[Outcome, ...]] = ("served", "refused", "unavailable")
OTHER: Final = "other"
"""The route of a request for an address that is none: what clients make up must not become a label."""

_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_SHARES: Final = tuple(share / 10 for share in range(1, 11))


class Metrics:
    """Counts, in a registry of its own; every method may be called from any thread and takes microseconds."""

    def __init__(self) -> None:
        # a line for every count that says when it began; process_start_time_seconds does
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)  # memory, CPU seconds, open files, start
        self._requests = Counter("animals_requests", "Answered requests.", ["route", "status"], registry=self.registry)
        self._in_flight = Gauge("animals_requests_in_flight", "Requests not yet answered.", registry=self.registry)
        self._request_seconds = Histogram(
            "animals_request_seconds", "From request to answer.", ["route"], buckets=_SECONDS, registry=self.registry
        )
        stages = Histogram(
            "animals_stage_seconds", "Parts of a request.", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self._stages = {stage: stages.labels(stage) for stage in STAGES}
        self._shed = Counter(
            "animals_requests_shed", "Requests refused because too many waited.", registry=self.registry
        )
        self._model = Gauge("animals_model_info", "1 for the version that serves.", ["version"], registry=self.registry)
        self._model_created = Gauge(
            "animals_model_created_timestamp_seconds",
            "When the version that serves was made; 0 while none does.",
            registry=self.registry,
        )
        reloads = Counter("animals_reloads", "Looks for another version.", ["outcome"], registry=self.registry)
        self._reloads = {outcome: reloads.labels(outcome) for outcome in OUTCOMES}
        self._predictions = Counter("animals_predictions", "Answers.", ["label"], registry=self.registry)
        self._confidence = Histogram(
            "animals_prediction_confidence", "Of answers.", ["label"], buckets=_SHARES, registry=self.registry
        )
        self._feedback = Counter(
            "animals_feedback",
            "Judgements that were stored: the person's label, and whether the answer had said so.",
            ["label", "right"],
            registry=self.registry,
        )
        entries = Counter(
            "animals_prediction_log_entries", "Entries of the prediction log.", ["outcome"], registry=self.registry
        )
        self._written, self._dropped = entries.labels("written"), entries.labels("dropped")

    def stage(self, name: Stage) -> AbstractContextManager[object]:
        """Times what is done inside `with`; for `read`, `decode`, `queue` and `inference` of one picture."""
        return self._stages[name].time()

    def took(self, stage: Stage, seconds: float) -> None:
        """The same, of what was timed otherwise."""
        self._stages[stage].observe(seconds)

    def answered(self, label: str, confidence: float) -> None:
        """One picture was answered with a label of the card."""
        self._predictions.labels(label).inc()
        self._confidence.labels(label).observe(confidence)

    def judged(self, label: str, *, right: bool) -> None:
        """A judgement was stored, with the label that the person gave."""
        self._feedback.labels(label, "true" if right else "false").inc()

    def shed(self) -> None:
        """A request was refused because too many waited."""
        self._shed.inc()

    def reloaded(self, outcome: Outcome) -> None:
        """A version was loaded, or could not be."""
        self._reloads[outcome].inc()

    def serves(self, version: str, labels: Iterable[str], created: datetime) -> None:
        """Another version serves from now on."""
        self._model_created.set(created.timestamp())
        self._model.clear()
        self._model.labels(version).set(1)
        for label in labels:  # a series that begins at its first answer would hide that answer from rates
            self._predictions.labels(label)
            self._confidence.labels(label)
            for right in ("true", "false"):
                self._feedback.labels(label, right)

    def logged(self, entries: int) -> None:
        """So many entries of the prediction log are stored."""
        self._written.inc(entries)

    def dropped(self, entries: int) -> None:
        """So many entries of the prediction log are lost."""
        self._dropped.inc(entries)

    def begun(self) -> None:
        """A request has come."""
        self._in_flight.inc()

    def ended(self, route: str, status: int, seconds: float) -> None:
        """A request was answered.

        Args:
            route: its template, such as `/classify`, or `OTHER`.
            status: of the answer.
            seconds: it took.
        """
        self._in_flight.dec()
        self._requests.labels(route, str(int(status))).inc()
        self._request_seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """All of it in Prometheus's text format."""
        return generate_latest(self.registry)
