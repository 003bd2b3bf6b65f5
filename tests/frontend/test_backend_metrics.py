from datetime import UTC, datetime

import pytest

from animals.errors import ServiceError
from animals.frontend.backend_metrics import parse_metrics, quantile
from animals.serving.metrics import Metrics

INFINITY = float("inf")


def test_the_backends_metrics_are_parsed() -> None:
    metrics = Metrics()
    metrics.set_model("r1", ("cat", "dog"), datetime.now(UTC))
    for route, status, seconds in [*[("/classify", 200, 0.012)] * 3, ("/classify", 503, 0.001), ("/metrics", 500, 9.0)]:
        metrics.count_request(route, status, seconds)
    for _ in range(3):
        metrics.count_prediction("cat", 0.9)
    metrics.shed.inc()
    parsed = parse_metrics(metrics.text().decode())
    assert parsed.predictions == {"cat": 3, "dog": 0}
    assert (parsed.errors, parsed.rejected) == (1, 1)
    assert parsed.p50_seconds == pytest.approx(0.0133, abs=1e-4)
    assert parsed.p95_seconds == pytest.approx(0.0193, abs=1e-4)
    assert parsed.started is None or parsed.started < datetime.now(UTC)


def test_a_backend_without_requests_has_no_latency() -> None:
    parsed = parse_metrics(Metrics().text().decode())
    assert (parsed.p50_seconds, parsed.p95_seconds, parsed.predictions) == (None, None, {})


def test_another_format_is_a_service_error() -> None:
    with pytest.raises(ServiceError, match="not in Prometheus's text format"):
        parse_metrics("<html>hello</html>")


@pytest.mark.parametrize(
    ("buckets", "share", "expected"),
    [
        ([(1.0, 0), (2.0, 10), (INFINITY, 10)], 0.5, 1.5),  # interpolated
        ([(1.0, 1), (2.0, 1), (INFINITY, 4)], 0.95, 2.0),  # above the last finite bound
        ([], 0.5, None),
    ],
)
def test_a_quantile_is_that_of_prometheus(
    buckets: list[tuple[float, int]], share: float, expected: float | None
) -> None:
    assert quantile(buckets, share) == expected
