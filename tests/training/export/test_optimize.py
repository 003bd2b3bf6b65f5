"""What each form of a model gives is measured on the same pictures, and what cannot be made is named."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from animals.errors import NotConvertible
from animals.preprocess import InputSpec
from animals.training.export.forms import Forms, PredictOne, prune
from animals.training.export.optimize import FormMetrics, format_table, measure
from tests.support.command import run
from tests.training.conftest import Trained

SPEC = InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import torch._inductor.config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    with inductor.patch({"cpp.cxx": (None, "no-such-compiler")}):
        yield


def predicting(labels: list[int], *, seconds: float = 0.0) -> PredictOne:
    """Return a form that gives these labels to `four_pictures`, whose pixels are their indices."""

    def predict(normalized: np.ndarray) -> np.ndarray:
        time.sleep(seconds)
        index = round((float(normalized[0, 0, 0, 0]) * 0.5 + 0.5) * 255)
        return np.eye(3, dtype=np.float32)[[labels[index]]]

    return predict


def four_pictures() -> np.ndarray:
    return np.stack([np.full((8, 8, 3), index, np.uint8) for index in range(4)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.write_bytes(b"12")
    return path


def test_labels_are_compared_with_the_truth_and_with_the_first_form(file: Path) -> None:
    forms: Forms = {"a": (file, predicting([0, 1, 2, 0])), "b": (file, predicting([0, 1, 1, 1]))}

    first, second = measure(forms, [(four_pictures(), SPEC)] * 2, np.array([0, 1, 1, 2]))

    assert (first.correct.mean(), first.same_label) == (0.5, 1.0)
    assert (second.correct.mean(), second.same_label, second.size) == (0.75, 0.5, 2)


def test_the_slower_form_is_found_slower_and_one_slow_moment_does_not_count(file: Path) -> None:
    calls = iter([0.2] + [0.0] * 4)

    def once_slow(_: np.ndarray) -> np.ndarray:
        time.sleep(next(calls))
        return np.eye(3, dtype=np.float32)[:1]

    forms: Forms = {"disturbed": (file, once_slow), "slow": (file, predicting([0] * 4, seconds=0.02))}
    disturbed, slow = measure(forms, [(four_pictures(), SPEC)] * 2, np.zeros(4, int))

    assert slow.latency >= 20  # milliseconds
    assert disturbed.latency < 20


def test_pruning_takes_whole_channels_out_and_keeps_the_labels() -> None:
    model: Any = timm.create_model("test_resnet", num_classes=3)
    before, width = sum(weight.numel() for weight in model.parameters()), model.num_features

    prune(model, 32, 0.5)

    assert sum(weight.numel() for weight in model.parameters()) < 0.5 * before
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    assert model.get_classifier().in_features == width // 2


def test_a_network_that_cannot_be_pruned_is_named() -> None:
    transformer = timm.create_model("test_vit", num_classes=3, img_size=32)  # its heads have a fixed width
    with pytest.raises(NotConvertible, match="torch-pruning cannot prune this network"):
        prune(transformer, 32, 0.5)


def test_the_form_that_serves_stands_out_and_one_that_could_not_be_made_has_a_reason(trained: Trained) -> None:
    measured = [
        FormMetrics(name=name, size=2_000_000, latency=latency, correct=np.arange(10) > 0, same_label=same_label)
        for name, latency, same_label in (("torch", 40.0, 1.0), ("ONNX fp32", 20.0, 1.0), ("ONNX int8", 5.0, 0.99))
    ]
    text = format_table(measured, {"pruned": "Its layers are odd"}, trained.card)
    assert "| **ONNX int8** | 2.0 | 5.00 | 8.0 | 90.0% (59.6% to 98.2%) | 99.0% |" in text
    assert "| torch | 2.0 | 40.00 | 1.0 | 90.0% (59.6% to 98.2%) | 100.0% |" in text
    assert "pruned: not made. Its layers are odd." in text
    assert "| pruned" not in text
    assert text.endswith(f"ONNX int8 serves. {trained.card.quantized.reason}")


@pytest.mark.usefixtures("no_compiler")
def test_the_command_writes_a_table_of_all_forms(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANIMALS_BUCKET", trained.config.bucket)

    run("optimize", f"--version={trained.card.version}", "--epochs=1", "--channels=0.5")

    text = (tmp_path / "reports" / "versions" / trained.card.version / "optimize.md").read_text(encoding="utf-8")
    assert text in capsys.readouterr().out
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    forms = {row[0].strip("*"): row for row in rows}
    assert list(forms) == ["torch", "ONNX fp32", "ONNX int8", "pruned by 50%, ONNX fp32", "pruned by 50%, ONNX int8"]
    assert float(forms["pruned by 50%, ONNX fp32"][1]) < float(forms["ONNX fp32"][1])
    assert forms["ONNX fp32"][4].startswith(f"{trained.card.metrics.accuracy:.1%} (")
    assert forms["ONNX fp32"][5] == "100.0%"
    [reason] = [line for line in text.splitlines() if line.startswith("torch compiled: not made.")]
    assert "No working C++ compiler found" in reason


def test_a_version_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", str(tmp_path))
    with pytest.raises(SystemExit, match="1"):
        run("optimize", "--version=r7")
    assert "has no version r7" in capsys.readouterr().err
