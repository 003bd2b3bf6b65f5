"""The page for maintainers, run without a browser."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from animals.api import DayOfFeedback, Decision, Summary
from animals.serving.metrics import Metrics
from tests.frontend.conftest import MODEL, click, run
from tests.support.findings import DRIFTED, UNCHECKED, feedback, findings, summary
from tests.support.http import Request, Response, json_response
from tests.support.stand_in import StandIn

PATH = "/generate_performance_report"
WEEK = (DayOfFeedback(date=date(2026, 11, 23), records=40, right=30),)
CHANGES = {"by_day": WEEK, "broken_count": 2, "needed": 100, "reference_accuracy": 0.87}
FEEDBACK = feedback(40, 30, (0.6, 0.86)).model_copy(update=CHANGES)
SUMMARY = Summary(
    **dict(findings(feedback=FEEDBACK, drift=DRIFTED, days_drifted=3)),
    decision=Decision(retrain=True, reasons=("Drift for 3 days.", "Accuracy is significantly under the reference.")),
).model_dump(mode="json")


def respond(request: Request) -> Response:
    return json_response(SUMMARY) if "format=json" in request.path else Response(200, b"PK")


@pytest.fixture
def report_function() -> Iterator[StandIn]:
    with StandIn() as service:
        service.responses[PATH] = respond
        yield service


@pytest.fixture
def page(stand_in: StandIn, report_function: StandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    monkeypatch.setenv("ANIMALS_REPORT", report_function.url)
    metrics = Metrics()
    metrics.set_model("r1", ("cat", "dog"), datetime.now(UTC))
    for status in (200, 200, 503):
        metrics.count_prediction("dog", 0.9)
        metrics.count_request("/classify", status, 0.01)
    model = MODEL | {"unknown_below": 0.42}
    stand_in.responses = {"/model": [json_response(model)], "/metrics": [Response(200, metrics.text())]}
    return run(AppTest.from_function(_script, default_timeout=20))


def _script() -> None:
    from animals.frontend.maintainer_page import show_maintainer_page
    from animals.frontend.settings import PageSettings

    show_maintainer_page(PageSettings())


def figures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def values(elements: Any) -> list[str]:
    return [element.value for element in elements]


def test_version_metrics_and_feedback_are_shown(page: AppTest) -> None:
    assert page.markdown[0].value == "**r1** · resnet18 · created 21 November 2026 · promoted 22 November 2026"
    shown = figures(page)
    assert shown.pop("p50").endswith("ms")
    assert shown.pop("p95").endswith("ms")
    assert shown == {
        **{"Test accuracy": "87 %", "Macro F1": "0.861", "Rejection threshold": "42 %"},
        **{"Predictions": "3", "Errors": "1", "Rejected": "0"},
        **{"Records": "40", "Correct": "30", "Accuracy": "75 %", "95 % interval": "60 % to 86 %"},
    }
    captions = "\n".join(values(page.caption))
    assert "needs 100 feedback records" in captions
    assert "2 feedback records cannot be read" in captions


def test_drift_and_the_decision_to_retrain_are_warnings(page: AppTest) -> None:
    assert values(page.warning) == [
        "400 pictures drifted\\, in brightness\\. Drift for 3 days.",
        "**Retraining is recommended.**\n\n- Drift for 3 days\\.\n- Accuracy is significantly under the reference\\.",
    ]


def test_without_drift_there_is_no_warning(page: AppTest, report_function: StandIn) -> None:
    report_function.responses[PATH] = [json_response(summary() | {"drift": UNCHECKED.model_dump()})]
    run(page)
    assert not page.warning
    assert values(page.info) == ["Too few pictures\\."]
    assert values(page.success) == ["**No retraining is needed.**"]


def test_another_period_is_requested(page: AppTest, report_function: StandIn) -> None:
    page.segmented_control[0].set_value(30)
    run(page)
    assert "days=30" in report_function.requests[-1].path


def test_the_report_is_created_on_demand_and_can_be_downloaded(page: AppTest) -> None:
    assert not page.download_button
    click(page, "Create report")
    assert [button.label for button in page.download_button] == ["Download reports.zip"]


def test_a_report_that_cannot_be_created_shows_the_reason(page: AppTest, report_function: StandIn) -> None:
    failure = json_response({"detail": "No feedback yet."}, 404)
    report_function.responses[PATH] = lambda request: respond(request) if "json" in request.path else failure
    click(page, "Create report")
    assert values(page.error) == ["No feedback yet\\."]
    assert not page.download_button


def test_a_failing_backend_leaves_the_report(page: AppTest, stand_in: StandIn) -> None:
    stand_in.responses = {"/model": [Response(502)], "/metrics": [Response(200, b"<html>")]}
    run(page)
    assert figures(page)["Accuracy"] == "75 %"
    warnings = "\n".join(values(page.warning))
    assert "The model cannot be reached" in warnings
    assert "not in Prometheus" in warnings


def test_a_failing_report_function_leaves_model_and_metrics(page: AppTest, report_function: StandIn) -> None:
    report_function.responses[PATH] = [Response(502)]
    run(page)
    assert figures(page)["Macro F1"] == "0.861"
    assert values(page.warning) == ["The report function cannot be reached\\. Try again in a few seconds\\."]
