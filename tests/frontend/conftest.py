"""What the page's tests share: a stand-in for the backend."""

import sys
from collections.abc import Iterator

import pytest

from tests.support.stand_in import StandIn, say

LABELS = ("cat", "cow", "dog")
MODEL = {"version": "r1", "labels": LABELS, "unknown_below": None}


def answer(**probabilities: float) -> dict[str, object]:
    """What the backend says of a picture."""
    best = max(probabilities, key=probabilities.__getitem__)
    return {
        "filename": "x.png",
        "prediction": best,
        "confidence": probabilities[best],
        "probabilities": probabilities,
        "model_version": "r1",
        "prediction_id": "signed-by-the-backend-" + best,
    }


@pytest.fixture(autouse=True)
def same_main_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit puts a page in the place of `__main__`, which every process that is spawned later would run."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    """A backend that takes every picture for a cat."""
    with StandIn() as service:
        service.answers = {
            "/model": [say(MODEL)],
            "/classify/": [say(answer(cat=0.93, cow=0.05, dog=0.02))],
            "/post_data/": [say({"stored": True, "id": "1", "label": "cat", "picture": False})],
        }
        yield service
