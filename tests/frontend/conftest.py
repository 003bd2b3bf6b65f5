"""Fixtures of the page's tests: a stand-in for the backend."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from animals.frontend.__main__ import APP
from animals.records import LabelMetrics, Metrics
from tests.support.cards import make_card
from tests.support.http import json_response
from tests.support.stand_in import StandIn

LABELS = ("cat", "cow", "dog")
PER_LABEL = {"cat": LabelMetrics(precision=0.9, recall=0.8, f1=0.85, pictures=15)}
METRICS = Metrics(accuracy=0.87, f1_macro=0.861, f1_weighted=0.86, loss=0.4, pictures=30, per_label=PER_LABEL)
MODEL = {
    **make_card(labels=LABELS, metrics=METRICS, data_title="Animals sample (drawings)").model_dump(mode="json"),
    "promoted": "2026-11-22T12:00:00Z",
    "unknown_below": 0,
}


def predicted(**probabilities: float) -> dict[str, Any]:
    best = max(probabilities, key=probabilities.__getitem__)
    return {
        "filename": "x.png",
        "prediction": best,
        "confidence": probabilities[best],
        "probabilities": probabilities,
        "model_version": "r1",
        "prediction_id": "signed-by-the-backend-" + best,
    }


def stored(label: str, *, picture: bool = False) -> dict[str, Any]:
    return {"stored": True, "id": "1", "label": label, "picture": picture}


def run(page: AppTest) -> AppTest:
    page.run()
    assert not page.exception
    return page


def click(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    return run(page)


@pytest.fixture(autouse=True)
def same_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore `__main__`, which Streamlit replaces by the page and processes started later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A backend that classifies every picture as a cat."""
    with StandIn() as service:
        service.responses = {
            "/model": [json_response(MODEL)],
            "/classify/": [json_response(predicted(cat=0.93, cow=0.05, dog=0.02))],
            "/post_data/": [json_response(stored("cat"))],
        }
        yield service


@pytest.fixture
def page(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    return run(AppTest.from_file(str(APP), default_timeout=20))
