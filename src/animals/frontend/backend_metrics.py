"""What the backend's own counts say: `GET /metrics` in a few numbers for people."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from animals.errors import ServiceError

CLASSIFYING: Final = "/classify"
"""The route whose requests are pictures."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counts of one instance since it started."""

    since: datetime | None
    answers: Mapping[str, int]
    """Of each label."""
    statuses: Mapping[str, int]
    """Of requests to classify, by their HTTP status."""
    shed: int
    """Requests refused because too many waited."""
    median_seconds: float | None
    """Of requests to classify; None where there were none."""
    p95_seconds: float | None


def read_traffic(text: str) -> Traffic:
    """The counts in Prometheus's text format.

    Raises:
        ServiceError: it is something else.
    """
    try:
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except ValueError as error:
        raise ServiceError("The model's counts at /metrics cannot be read as Prometheus's text format.") from error
    started = [sample.value for sample in samples if sample.name == "process_start_time_seconds"]
    buckets = _sums(samples, "animals_request_seconds_bucket", "le", route=CLASSIFYING)
    steps = sorted((float(bound), count) for bound, count in buckets.items())
    return Traffic(
        since=datetime.fromtimestamp(started[0], UTC) if started else None,
        answers=_sums(samples, "animals_predictions_total", "label"),
        statuses=_sums(samples, "animals_requests_total", "status", route=CLASSIFYING),
        shed=sum(_sums(samples, "animals_requests_shed_total", "").values()),
        median_seconds=quantile(steps, 0.5),
        p95_seconds=quantile(steps, 0.95),
    )


def quantile(steps: list[tuple[float, int]], share: float) -> float | None:
    """A quantile of a histogram, straight between two bounds, as Prometheus's `histogram_quantile` has it.

    Args:
        steps: upper bound and how many were at or under it, rising; the last bound is infinite.
        share: such as 0.95.

    Returns:
        None for an empty histogram; the last finite bound if the quantile is beyond it.
    """
    if not steps or not steps[-1][1]:
        return None
    rank = share * steps[-1][1]
    for (lower, before), (upper, until) in pairwise([(0.0, 0), *steps]):
        if until >= rank:
            inside = (rank - before) / (until - before)
            return lower if upper == float("inf") else lower + (upper - lower) * inside
    return None


def _sums(samples: Iterable[Sample], name: str, by: str, **where: str) -> dict[str, int]:
    """Values of a metric's samples with these labels, added up by the value of another label."""
    sums: Counter[str] = Counter()
    for sample in samples:
        if sample.name == name and where.items() <= sample.labels.items():
            sums[sample.labels.get(by, "")] += int(sample.value)
    return dict(sums)
