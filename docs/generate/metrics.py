"""The reference of metrics, from what the services register."""

import zipfile
from pathlib import Path
from typing import Final

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from animals.api import Summary
from animals.markdown import table
from animals.monitoring.gauges import gauges
from animals.serving.metrics import Metrics

EXAMPLE: Final = Path(__file__).parents[2] / "reports" / "example" / "reports.zip"
"""A report in which no number is missing."""

HEAD: Final = ("name", "type", "labels", "meaning")


def backend_metrics() -> str:
    """Return a table of the backend's metrics, without the `process_…` of the client library."""
    rows = []
    for collector in Metrics().registry._collector_to_names:  # labels without samples have no public name
        if isinstance(collector, MetricWrapperBase):
            (family,) = collector.describe()
            name = f"{family.name}{'_total' * (family.type == 'counter')}"
            rows.append([f"`{name}`", family.type, _labels(collector._labelnames), family.documentation])
    return table(HEAD, rows)


def report_metrics() -> str:
    """Return a table of the report function's metrics."""
    with zipfile.ZipFile(EXAMPLE) as file:
        summary = Summary.model_validate_json(file.read("summary.json"))
    families = text_string_to_metric_families(gauges(summary).decode())
    return table(HEAD, [[f"`{it.name}`", it.type, _labels(it.samples[0].labels), it.documentation] for it in families])


def _labels(names: object) -> str:
    return ", ".join(f"`{name}`" for name in names)  # type: ignore[attr-defined]
