"""The whole feedback loop with real processes and over HTTP: wrong predictions lead to a better model.

A version is trained, published and served; the pictures change; people give feedback with pictures; the report
recommends to retrain; a training with the new pictures publishes a version that passes the gate; the backend loads it.
"""

from pathlib import Path
from typing import Final

import pytest

from animals import registry
from tests.support.feedback_loop import TRAINING, FeedbackLoop
from tests.support.pictures import COLORS, write_label_folders, write_picture

CHANGED: Final = {"blue": (35, 140, 42), "green": (154, 35, 28), "red": (28, 42, 154)}
"""The later colour of each label: a darker shade of another label's colour, so that predictions are wrong."""


@pytest.fixture
def loop(tmp_path: Path) -> FeedbackLoop:
    write_label_folders(tmp_path / "pictures", per_label=60)
    for index, (label, color) in enumerate(CHANGED.items()):
        for number in range(40):
            folder = "with feedback" if number < 30 else "later"
            write_picture(tmp_path / folder / label / f"{number}.jpg", color, seed=10_000 + 1000 * index + number)
    return FeedbackLoop(tmp_path)


@pytest.mark.minutes
def test_feedback_on_wrong_predictions_makes_the_next_version_better(loop: FeedbackLoop) -> None:
    later = loop.folder / "later"
    with loop.services():
        assert "No model is published yet. Run: invoke train." in loop.log
        loop.run(*TRAINING)
        [first] = registry.versions(loop.bucket)
        loop.wait_until(lambda: loop.served_version() == first)
        before = loop.accuracy(later)
        assert before < 0.5, "The changed pictures should be hard for the first version."

        loop.give_feedback(loop.folder / "with feedback")
        loop.wait_until(lambda: loop.logged_predictions() == 120)
        summary = loop.summary()
        assert summary["feedback"]["records"] == summary["pictures"] == 90
        assert summary["drift"]["drifted"], summary["drift"]
        assert summary["decision"]["retrain"], summary["decision"]

        loop.run("-m", "animals", "data", "--source", "feedback", "--root", "feedback")
        output = loop.run(*TRAINING, "data.extra=feedback", "promote=false")
        assert "Training on 90 more pictures, of feedback" in output
        [second] = set(registry.versions(loop.bucket)) - {first}
        assert loop.served_version() == first
        output = loop.run("-m", "animals", "promote", second)
        assert f"{second} serves in" in output

        loop.wait_until(lambda: loop.served_version() == second)
        after = loop.accuracy(later)
        assert after >= max(0.8, before + 0.3)
        assert loop.accuracy(loop.folder / "pictures") > 0.9
        assert set(COLORS) == set(CHANGED)
        assert not loop.summary()["decision"]["retrain"]
