"""A frozen network is measured at other sides, and the fastest that is as good may be published."""

from pathlib import Path

import numpy as np
import pytest

from animals import registry
from animals.storage import FolderStorage
from animals.training.export.optimize import FormMetrics
from animals.training.transfer.sides import _choose
from tests.support.command import run
from tests.support.training import run_training
from tests.training.conftest import Trained

SMALL = ("data.side=48", "data.test=0.3", "tracking.mode=disabled", "data.workers=0")


def form(name: str, latency: float, wrong: int) -> FormMetrics:
    return FormMetrics(name=name, size=1, latency=latency, correct=np.arange(100) >= wrong, same_label=1.0)


def test_the_fastest_that_is_not_significantly_worse_is_chosen() -> None:
    forms = [form("224", 5.0, 4), form("192", 4.0, 5), form("160", 3.0, 20), form("256", 8.0, 0)]
    assert _choose(forms) == "192"
    assert _choose([forms[0], forms[2]]) == "224"


def test_a_smaller_side_is_published(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_training(tmp_path, "experiment=folder", f"data.root={pictures}", *SMALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMALS_BUCKET", "data/bucket")
    storage = FolderStorage(Path("data/bucket"))
    before = registry.read_current(storage).version

    run("optimize", "--sides=32", "--publish")

    text = (Path("reports/versions") / before / "sides.md").read_text("utf-8")
    assert text in capsys.readouterr().out
    assert "| 48 pixels, ONNX int8 |" in text or "| 48 pixels, ONNX fp32 |" in text
    after = registry.read_card(storage, registry.read_current(storage).version)
    assert after.version != before
    assert after.input.side == 32
    assert f"Published: {after.version}" in text


def test_other_versions_and_other_texts_are_refused(
    trained: Trained, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", trained.config.bucket)
    for words, message in (
        (["--sides=32"], "--sides is for a head on a frozen network"),
        (["--sides=wide"], "expected numbers of pixels, as in 160,192"),
        (["--publish"], "--publish needs --sides"),
    ):
        with pytest.raises(SystemExit):
            run("optimize", *words)
        assert message in capsys.readouterr().err
