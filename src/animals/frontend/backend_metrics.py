"""The backend's own metrics (`GET /metrics`), reduced to a few numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from animals.errors import ServiceError

CLASSIFY_ROUTE: Final = "/classify"


@dataclass(frozen=True, slots=True)
class BackendMetrics:
    """Metrics of one backend instance since it started."""

    started: datetime | None
    predictions: Mapping[str, int]
    errors: int
    """Requests to classify that failed with an HTTP status of 500 or more."""
    rejected: int
    """Requests rejected because the queue was full."""
    p50_seconds: float | None
    """Median latency of requests to classify; None without any."""
    p95_seconds: float | None


def parse_metrics(text: str) -> BackendMetrics:
    """Parse metrics in Prometheus's text format; another format is a ServiceError."""
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError as error:
        raise ServiceError("The model's response to /metrics is not in Prometheus's text format.") from error
    started = [sample.value for sample in samples if sample.name == "process_start_time_seconds"]
    statuses = _sum_by(samples, "animals_requests_total", "status", route=CLASSIFY_ROUTE)
    buckets = _sum_by(samples, "animals_request_seconds_bucket", "le", route=CLASSIFY_ROUTE)
    cumulative = sorted((float(bound), count) for bound, count in buckets.items())
    return BackendMetrics(
        started=datetime.fromtimestamp(started[0], UTC) if started else None,
        predictions=_sum_by(samples, "animals_predictions_total", "label"),
        errors=sum(count for status, count in statuses.items() if status.startswith("5")),
        rejected=sum(_sum_by(samples, "animals_requests_shed_total", "").values()),
        p50_seconds=quantile(cumulative, 0.5),
        p95_seconds=quantile(cumulative, 0.95),
    )


def quantile(buckets: list[tuple[float, int]], share: float) -> float | None:
    """Return a quantile of a histogram, interpolated as by Prometheus's `histogram_quantile`; None if it is empty.

    The buckets are upper bounds and cumulative counts, ascending; the last bound is infinite. A quantile beyond the
    last finite bound is that bound.
    """
    if not buckets or not buckets[-1][1]:
        return None
    rank = share * buckets[-1][1]
    for (lower, below), (upper, count) in pairwise([(0.0, 0), *buckets]):
        if count >= rank:
            fraction = (rank - below) / (count - below)
            return lower if upper == float("inf") else lower + (upper - lower) * fraction
    return None


def _sum_by(samples: Iterable[Sample], metric: str, label: str, **matching: str) -> dict[str, int]:
    """Return the sums of a metric's values by one of its labels, over the samples with the given other labels."""
    sums: Counter[str] = Counter()
    for sample in samples:
        if sample.name == metric and matching.items() <= sample.labels.items():
            sums[sample.labels.get(label, "")] += int(sample.value)
    return dict(sums)
