"""What each form of a model gives is measured on the same pictures, and what cannot be made is named."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image

from animals.errors import NotConvertible
from animals.preprocess import InputSpec
from animals.training.export.optimize.__main__ import main, parser
from animals.training.export.optimize.measure import Answer, Variant, measure
from animals.training.export.optimize.prune import take_out
from animals.training.export.optimize.records import Measured, Optimization
from animals.training.export.optimize.report import table
from tests.training.conftest import Trained

SPEC = InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    import torch._inductor.config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    with inductor.patch({"cpp.cxx": (None, "no-such-compiler")}):
        yield


def saying(labels: list[int], *, seconds: float = 0.0) -> Answer:
    """A form that gives these labels to the pictures, which are told apart by their first pixel."""

    def answer(prepared: np.ndarray) -> np.ndarray:
        time.sleep(seconds)
        place = round((float(prepared[0, 0, 0, 0]) * 0.5 + 0.5) * 255)
        return np.eye(3, dtype=np.float32)[[labels[place]]]

    return answer


def four_pictures() -> np.ndarray:
    return np.stack([np.full((8, 8, 3), place, np.uint8) for place in range(4)])


def test_labels_are_compared_with_the_truth_and_with_the_first_form() -> None:
    variants = [Variant("a", 1, saying([0, 1, 2, 0])), Variant("b", 2, saying([0, 1, 1, 1]))]

    first, second = measure(variants, four_pictures(), np.array([0, 1, 1, 2]), SPEC)

    assert (first.accuracy, first.same_label) == (0.5, 1.0)
    assert (second.accuracy, second.same_label, second.size) == (0.75, 0.5, 2)


def test_the_slower_form_is_found_slower_and_one_slow_moment_does_not_count() -> None:
    calls = iter([0.2] + [0.0] * 4)

    def once_slow(_: np.ndarray) -> np.ndarray:
        time.sleep(next(calls))
        return np.eye(3, dtype=np.float32)[:1]

    slow = Variant("slow", 1, saying([0] * 4, seconds=0.02))
    disturbed, steady = measure([Variant("disturbed", 1, once_slow), slow], four_pictures(), np.zeros(4, int), SPEC)

    assert steady.latency >= 20  # milliseconds
    assert disturbed.latency < 20


def test_pruning_takes_whole_channels_out_and_keeps_the_labels() -> None:
    model: Any = timm.create_model("test_resnet", num_classes=3)
    before, width = sum(it.numel() for it in model.parameters()), model.num_features

    take_out(model, 32, 0.5)

    assert sum(it.numel() for it in model.parameters()) < 0.5 * before
    assert model(torch.zeros(1, 3, 32, 32)).shape == (1, 3)
    assert model.get_classifier().in_features == width // 2


def test_a_network_that_cannot_be_made_narrower_is_named() -> None:
    transformer = timm.create_model("test_vit", num_classes=3, img_size=32)  # its heads have a fixed width
    with pytest.raises(NotConvertible, match="torch-pruning cannot make this network narrower"):
        take_out(transformer, 32, 0.5)


def found(**changes: Any) -> Optimization:
    forms = (("torch", 40.0, 1.0), ("ONNX fp32", 20.0, 1.0), ("ONNX int8", 5.0, 0.99))
    measured = [
        Measured(name=name, size=2_000_000, latency=latency, accuracy=0.9, same_label=same)
        for name, latency, same in forms
    ]
    return Optimization(
        version="v1",
        architecture="resnet18",
        side=64,
        pictures=100,
        processor="a processor",
        packages={},
        serving="ONNX int8",
        why="It is good enough.",
        measured=tuple(measured),
        not_made=changes,
    )


def test_the_form_that_serves_stands_out_with_what_it_gains() -> None:
    assert "| **ONNX int8** | 2.0 | 5.00 | 8.0 | 90.0% | 99.0% |" in table(found())
    assert "| torch | 2.0 | 40.00 | 1.0 | 90.0% | 100.0% |" in table(found())
    assert table(found()).endswith("ONNX int8 serves. It is good enough.")


def test_a_form_that_could_not_be_made_is_no_row_but_a_reason() -> None:
    text = table(found(pruned="Its layers are odd"))
    assert "pruned: not made. Its layers are odd." in text
    assert "| pruned" not in text


@pytest.mark.usefixtures("no_compiler")
def test_the_command_writes_table_figure_and_record(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--bucket", trained.config.bucket, "--epochs", "1", "--channels", "0.5"]
    monkeypatch.setattr("sys.argv", ["optimize", trained.card.version, *options])

    main()

    folder = tmp_path / "reports" / "versions" / trained.card.version
    record = Optimization.model_validate_json((folder / "optimize.json").read_text(encoding="utf-8"))
    names = ["torch", "ONNX fp32", "ONNX int8", "pruned by 50%, ONNX fp32", "pruned by 50%, ONNX int8"]
    assert [it.name for it in record.measured] == names
    [(form, reason)] = record.not_made.items()
    assert form == "torch compiled"
    assert "No working C++ compiler found" in reason
    assert len(reason.splitlines()) == 1
    sizes = {it.name: it.size for it in record.measured}
    assert sizes["pruned by 50%, ONNX fp32"] < sizes["ONNX fp32"]
    assert record.pictures == 6
    assert record.measured[1].same_label == 1.0
    assert record.measured[1].accuracy == trained.card.metrics.accuracy
    assert table(record) in (folder / "optimize.md").read_text(encoding="utf-8")
    assert table(record) in capsys.readouterr().out
    with Image.open(folder / "optimize.png") as figure:
        assert figure.width > 600


@pytest.mark.parametrize("options", [["--pictures", "0"], ["--channels", "1"], ["--channels", "x"], ["--epochs", "-1"]])
def test_an_impossible_number_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        parser().parse_args(options)
    assert "; expected " in capsys.readouterr().err


def test_a_version_that_is_not_there_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["optimize", "r7", "--bucket", str(tmp_path)])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "has no version r7" in capsys.readouterr().err
