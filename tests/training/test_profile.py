"""A profile of the real loop: where the time goes, and how much of it is waiting for data."""

import json
from pathlib import Path

import pytest

from animals.training.profile import headline, tables
from animals.training.step_timing import Operator, Timing
from tests.support.command import run
from tests.training.conftest import tiny_config

TINY = ["data.side=32", "model.name=test_resnet", "trainer.batch_size=8", "data.workers=0", "trainer.accelerator=cpu"]


def test_a_profile_has_a_trace_and_names_the_operators_that_take_most(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    overrides = ["experiment=folder", "method=full", f"data.root={pictures}", *TINY]
    run("profile", *overrides, "--steps", "5")  # one epoch has six steps, these take two
    (folder,) = (tmp_path / "runs" / "profiles").iterdir()
    assert folder.name.endswith("-folder")
    events = json.loads((folder / "trace.json").read_text(encoding="utf-8"))["traceEvents"]
    complete = [event for event in events if event["ph"] == "X"]
    assert all({"name", "ts", "dur", "pid", "tid"} <= event.keys() for event in complete)
    assert sum(event["name"].startswith("ProfilerStep#") and event["cat"] == "user_annotation" for event in events) == 5
    table = (folder / "top_operators.md").read_text(encoding="utf-8")
    assert "convolution" in table
    assert 12 < table.count("\n| ") <= 22  # head, line and twenty operators
    shown = capsys.readouterr().out
    assert "of the time waiting for data" in shown
    assert "ProfilerStep" not in table + shown
    assert {path.name for path in tmp_path.iterdir()} == {"runs", "data"}, "the run's own files are gone"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "Invalid value for '--steps'"),
        (["optimizer.lrr=1"], "error: There is no setting optimizer.lrr. Did you mean lr?"),
    ],
)
def test_a_mistake_is_named_and_leaves_nothing(
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="2"):
        run("profile", *arguments)
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_headline_counts_pictures_and_the_share_of_waiting(tmp_path: Path) -> None:
    text = headline(tiny_config(tmp_path, tmp_path), Timing(steps=10, seconds=2.0, waiting=0.5))
    assert text == (
        "test_resnet at 32 pixels in batches of 8: 200.0 ms a step, 40.0 pictures a second, "
        "25.0% of the time waiting for data"
    )


def test_operators_are_sorted_by_their_own_time_on_each_device() -> None:
    slow, launched = Operator("slow", 4, cpu=3.0, gpu=0.0), Operator("launched", 2, cpu=1.0, gpu=8.0)
    text = tables([launched, slow], steps=2, limit=20)
    assert text.index("| slow | 2 | 1500.00 | 75.0% |") < text.index("| launched | 1 | 500.00 | 25.0% |")
    assert "| GPU |" in text
    assert text.count("| slow |") == 1, "an operator that a device never ran is not in its table"
    assert "GPU" not in tables([slow], steps=2, limit=20)
