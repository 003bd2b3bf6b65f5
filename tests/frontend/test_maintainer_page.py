"""The maintainer's page, run without a browser."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from animals.serving.metrics import Metrics
from tests.support.stand_in import Said, StandIn, say

PATH = "/generate_performance_report"
MODEL = {
    "version": "r1",
    "labels": ["cat", "dog"],
    "architecture": "resnet18",
    "created": "2026-11-20T12:00:00Z",
    "promoted": "2026-11-21T12:00:00Z",
    "unknown_below": 0.42,
    "metrics": {
        "accuracy": 0.87,
        "f1_macro": 0.861,
        "pictures": 30,
        "per_label": {"cat": {"precision": 0.9, "recall": 0.8, "f1": 0.85, "pictures": 15}},
    },
}
SUMMARY: dict[str, Any] = {
    "created": "2026-11-24T12:00:00Z",
    "days": 7,
    "version": "r1",
    "feedback": {
        "records": 40,
        "right": 30,
        "accuracy": 0.75,
        "interval": [0.6, 0.86],
        "reference_accuracy": 0.87,
        "by_day": [{"date": "2026-11-23", "records": 40, "right": 30}],
        "broken_count": 2,
        "needed": 100,
    },
    "predictions": {"records": 500, "sampled": 500, "by_day": [{"date": "2026-11-23", "records": 500}]},
    "drift": {
        "checked": True,
        "drifted": True,
        "reason": "Pictures are darker than those tested on.",
        "features": [{"feature": "brightness", "test": "ks", "statistic": 0.4, "threshold": 0.1, "drifted": True}],
    },
    "days_drifted": 3,
    "pictures": 12,
    "decision": {"retrain": True, "reasons": ["Drift for 3 days.", "Accuracy is significantly under the reference."]},
}


@pytest.fixture
def reporting() -> Iterator[StandIn]:
    """A report function."""
    with StandIn() as service:
        service.answers[PATH] = lambda heard: (
            say(SUMMARY) if "format=json" in heard.path else Said(200, b"PK", {"Content-Type": "application/zip"})
        )
        yield service


@pytest.fixture
def page(stand_in: StandIn, reporting: StandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page as it is first seen."""
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    monkeypatch.setenv("ANIMALS_REPORT", reporting.url)
    metrics = Metrics()
    metrics.set_model("r1", ("cat", "dog"), datetime.now(UTC))
    for status in (200, 200, 503):
        metrics.begin_request()
        metrics.count_prediction("dog", 0.9)
        metrics.end_request("/classify", status, 0.01)
    stand_in.answers = {"/model": [say(MODEL)], "/metrics": [Said(200, metrics.text())]}
    return run(AppTest.from_function(_script, default_timeout=20))


def _script() -> None:
    from animals.frontend.maintainer_page import show_maintaining
    from animals.frontend.settings import PageSettings

    show_maintaining(PageSettings())


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def figures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def test_the_card_is_shown(page: AppTest) -> None:
    shown = figures(page)
    assert shown["Right on test pictures"] == "87 %"
    assert page.markdown[0].value == (
        "**Version r1** · resnet18 · made on 20 November 2026 · serves since 21 November 2026"
    )
    assert shown["None of the labels under"] == "42 %"


def test_traffic_and_latency_are_shown(page: AppTest) -> None:
    shown = figures(page)
    assert (shown["Answers"], shown["Failed"]) == ("3", "1")
    assert shown["95 % within"].endswith("ms")


def test_feedback_drift_and_decision_are_shown(page: AppTest) -> None:
    assert figures(page)["Share"] == "75 %"
    assert figures(page)["95 % interval"] == "60 % to 86 %"
    warnings = [warning.value for warning in page.warning]
    assert warnings == [
        "Pictures are darker than those tested on\\. For 3 days now.",
        "**Yes.**\n\n- Drift for 3 days\\.\n- Accuracy is significantly under the reference\\.",
    ]
    captions = "\n".join(caption.value for caption in page.caption)
    assert "100 judgements are needed" in captions
    assert "2 records cannot be read" in captions


def test_quiet_days_are_shown_as_such(page: AppTest, reporting: StandIn) -> None:
    drift = {"checked": False, "drifted": False, "reason": "Too few pictures."}
    reporting.answers[PATH] = [
        say(SUMMARY | {"drift": drift, "decision": {"retrain": False, "reasons": ["All well."]}})
    ]
    run(page)
    assert not page.warning
    assert [info.value for info in page.info] == ["Too few pictures\\."]
    assert [success.value for success in page.success] == ["**No.**\n\n- All well\\."]


def test_other_days_are_asked_for(page: AppTest, reporting: StandIn) -> None:
    page.segmented_control[0].set_value(30)
    run(page)
    assert "days=30" in reporting.heard[-1].path


def test_the_report_is_made_when_it_is_wanted_and_can_then_be_downloaded(page: AppTest) -> None:
    assert not page.download_button
    next(button for button in page.button if button.label == "Make the report").click()
    run(page)
    assert [button.label for button in page.download_button] == ["Download reports.zip"]


def test_a_report_that_cannot_be_made_says_why(page: AppTest, reporting: StandIn) -> None:
    reporting.answers[PATH] = lambda heard: (
        say(SUMMARY) if "format=json" in heard.path else say({"detail": "No feedback yet."}, 404)
    )
    next(button for button in page.button if button.label == "Make the report").click()
    run(page)
    assert [error.value for error in page.error] == ["No feedback yet\\."]
    assert not page.download_button


def test_what_is_away_says_so_and_the_rest_is_there(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/model"] = [Said(502)]
    stand_in.answers["/metrics"] = [Said(200, b"<html>")]
    run(page)
    assert figures(page)["Share"] == "75 %"
    assert any("The model cannot be reached" in warning.value for warning in page.warning)
    assert any("cannot be read as Prometheus" in warning.value for warning in page.warning)


def test_a_report_function_that_is_away_leaves_model_and_traffic(page: AppTest, reporting: StandIn) -> None:
    reporting.answers[PATH] = [Said(502)]
    run(page)
    assert figures(page)["Macro F1"] == "0.861"
    assert [warning.value for warning in page.warning] == [
        "The report function cannot be reached\\. Try again in a few seconds\\."
    ]


def test_a_model_that_says_little_of_itself_is_shown_too(page: AppTest, stand_in: StandIn) -> None:
    stand_in.answers["/model"] = [say({"version": "r1", "labels": ["cat"]})]
    stand_in.answers["/metrics"] = [Said(200, Metrics().text())]
    run(page)
    assert page.markdown[0].value == "**Version r1**"
    assert figures(page)["Half within"] == "none yet"
