"""The reference of metrics, from what the services really register."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from animals.api import Decision, Drift, FeatureDrift, FeedbackSummary, PredictionsSummary, Summary
from animals.monitoring.gauges import gauges
from animals.records import now
from animals.serving.metrics import Metrics
from docs.generate.markdown import code, page, table


@dataclass(kw_only=True, slots=True, frozen=True)
class Metric:
    """One name at `GET /metrics`."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def backend_metrics() -> list[Metric]:
    """What the backend counts, beside the `process_…` of the client library."""
    return list(_registered(Metrics().registry))


def _registered(registry: CollectorRegistry) -> Iterator[Metric]:
    for collector in registry._collector_to_names:  # there is no public way to the names of labels without samples
        if isinstance(collector, MetricWrapperBase):
            (described,) = collector.describe()
            ending = "_total" if described.type == "counter" else ""
            labels = tuple(collector._labelnames)
            name = f"{described.name}{ending}"
            yield Metric(name=name, kind=described.type, labels=labels, help=described.documentation)


def report_metrics() -> list[Metric]:
    """What the report function tells of the newest report."""
    families = text_string_to_metric_families(gauges(_some_summary()).decode())
    return [
        Metric(name=family.name, kind=family.type, labels=tuple(family.samples[0].labels), help=family.documentation)
        for family in families
    ]


def _some_summary() -> Summary:
    """A report in which nothing is missing that could be told."""
    one = FeatureDrift(feature="confidence", test="", statistic=0, threshold=1, p_value=1, drifted=False)
    feedback = FeedbackSummary(
        records=1,
        right=1,
        accuracy=1,
        interval=(0, 1),
        reference_accuracy=1,
        by_day=(),
        labels={},
        versions={},
        sampled=1,
        broken=(),
        broken_count=0,
        needed=0,
    )
    return Summary(
        created=now(),
        days=1,
        version="",
        feedback=feedback,
        predictions=PredictionsSummary(records=0, sampled=0, by_day=(), broken_count=0),
        drift=Drift(checked=True, drifted=False, reason="", features=(one,)),
        days_drifted=0,
        pictures=0,
        decision=Decision(retrain=False, reasons=()),
    )


def metrics_page() -> str:
    """Each metric of both services."""
    return page(
        "Metrics",
        "Both services tell them at `GET /metrics` in Prometheus's text format. What each is for, and which values its "
        "labels have, is in [what the service tells of itself](../design/predictions.md); [seven alerts]"
        "(../design/alerts.md) watch them.",
        f"## Backend\n\nBesides the `process_…` of Prometheus's own client.\n\n{_rows(backend_metrics())}",
        f"## Report\n\nOf the newest report in the bucket.\n\n{_rows(report_metrics())}",
    )


def _rows(metrics: Iterable[Metric]) -> str:
    header = ("name", "type", "labels", "meaning")
    return table(header, [(code(one.name), one.kind, ", ".join(map(code, one.labels)), one.help) for one in metrics])
