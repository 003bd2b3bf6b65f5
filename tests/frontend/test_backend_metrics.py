from datetime import UTC, datetime

import pytest

from animals.errors import ServiceError
from animals.frontend.backend_metrics import quantile, read_traffic
from animals.serving.metrics import Metrics


def test_the_backends_own_counts_are_understood() -> None:
    metrics = Metrics()
    metrics.set_model("r1", ("cat", "dog"), datetime.now(UTC))
    for _ in range(3):
        metrics.begin_request()
        metrics.count_prediction("cat", 0.9)
        metrics.end_request("/classify", 200, 0.012)
    metrics.begin_request()
    metrics.end_request("/classify", 503, 0.001)
    metrics.begin_request()
    metrics.end_request("/metrics", 500, 9.0)
    metrics.count_rejected()
    traffic = read_traffic(metrics.text().decode())
    assert traffic.answers == {"cat": 3, "dog": 0}
    assert traffic.statuses == {"200": 3, "503": 1}
    assert traffic.shed == 1
    assert traffic.median_seconds == pytest.approx(0.0133, abs=1e-4)
    assert traffic.p95_seconds == pytest.approx(0.0193, abs=1e-4)
    assert traffic.since is None or traffic.since < datetime.now(UTC)


def test_a_backend_that_was_not_asked_yet_has_no_latency() -> None:
    traffic = read_traffic(Metrics().text().decode())
    assert (traffic.median_seconds, traffic.p95_seconds, traffic.answers) == (None, None, {})


def test_what_is_no_text_of_prometheus_is_an_unexpected_answer() -> None:
    with pytest.raises(ServiceError, match="cannot be read"):
        read_traffic("<html>hello</html>")


def test_a_quantile_beyond_the_last_bound_is_that_bound() -> None:
    assert quantile([(1.0, 1), (2.0, 1), (float("inf"), 4)], 0.95) == 2.0


def test_a_quantile_lies_straight_between_two_bounds() -> None:
    assert quantile([(1.0, 0), (2.0, 10), (float("inf"), 10)], 0.5) == 1.5
