"""The model in 8 bits serves only where it predicts like the one in 32, which serves otherwise."""

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import helper

from animals import registry
from animals.data.dataset import DataSet
from animals.errors import NotConvertible
from animals.preprocess import InputSpec
from animals.storage import open_storage
from animals.training.evaluation.metrics import Evaluation, evaluate
from animals.training.evaluation.predictors import onnx_predictor
from animals.training.export.onnx import export_onnx
from animals.training.export.quantize import CALIBRATION, calibration_pictures, decide, export_int8, quantize
from tests.training.conftest import Trained


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A model that was never trained; its answers are far enough apart all the same."""
    torch.manual_seed(0)
    spec = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))  # as of `data_set`
    model = timm.create_model("test_resnet", num_classes=3)
    return export_onnx(model, spec, tmp_path_factory.mktemp("exported")).read_bytes()


@pytest.fixture
def folder(exported: bytes, tmp_path: Path) -> Path:
    """A version's, with the model in 32 bits."""
    version = tmp_path / "version"
    version.mkdir()
    (version / "model.onnx").write_bytes(exported)
    return version


@pytest.fixture
def in_32_bits(folder: Path, data_set: DataSet) -> Evaluation:
    return evaluate(onnx_predictor(folder / "model.onnx", data_set.spec), data_set, "test", batch_size=64, workers=0)


def unknown_operator(folder: Path, data_set: DataSet) -> None:
    """Put a model with an unknown operator into the folder."""
    shape = ("pictures", 3, data_set.spec.side, data_set.spec.side)
    graph = helper.make_graph(
        [helper.make_node("Dream", ["input"], ["logits"], domain="com.example")],
        "exotic",
        [helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ("pictures", 3))],
    )
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.example", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), folder / "model.onnx")


def test_it_computes_in_unsigned_activations_and_signed_weights_a_channel(
    folder: Path, in_32_bits: Evaluation, data_set: DataSet
) -> None:
    export_int8(folder, data_set, in_32_bits, workers=0)

    model = onnx.load(folder / "model.int8.onnx")
    tensors = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    zero_points = {tensors[node.input[2]].dtype.name for node in model.graph.node if node.op_type == "QuantizeLinear"}
    weights = [tensor for tensor in tensors.values() if tensor.dtype == np.int8 and tensor.ndim == 4]
    scales = [tensors[node.input[1]].size for node in model.graph.node if node.op_type == "DequantizeLinear"]
    assert zero_points == {"uint8"}
    assert max(int(np.abs(tensor.astype(int)).max()) for tensor in weights) == 64  # seven bits
    assert max(scales) > 1


def test_it_is_small_and_takes_any_number_of_pictures(folder: Path, in_32_bits: Evaluation, data_set: DataSet) -> None:
    result = export_int8(folder, data_set, in_32_bits, workers=0)

    assert result.passed
    assert (folder / "model.int8.onnx").stat().st_size < 0.6 * (folder / "model.onnx").stat().st_size
    predict = onnx_predictor(folder / "model.int8.onnx", data_set.spec)
    pixels = data_set.read_pixels(data_set.rows("test"))
    one_by_one = np.concatenate([predict(pixels[index : index + 1]) for index in range(len(pixels))])
    np.testing.assert_allclose(predict(pixels), one_by_one, atol=1e-5)


def test_what_was_measured_is_what_it_answers(folder: Path, in_32_bits: Evaluation, data_set: DataSet) -> None:
    result = export_int8(folder, data_set, in_32_bits, workers=0)

    predict = onnx_predictor(folder / "model.int8.onnx", data_set.spec)
    in_8_bits = evaluate(predict, data_set, "test", batch_size=7, workers=0)
    assert result.pictures == len(in_8_bits.rows) == 30
    assert result.accuracy == in_8_bits.correct.mean()
    assert result.accuracy_fp32 == in_32_bits.correct.mean()
    assert result.same_label == (in_8_bits.predictions == in_32_bits.predictions).mean()


def predicting(labels: list[int], targets: list[int]) -> Evaluation:
    """Return the evaluation of a model in 32 bits that gives these labels."""
    logits = np.eye(3)[labels]
    return Evaluation(rows=np.arange(len(labels)), targets=np.array(targets), logits=logits, features={})


@pytest.mark.parametrize(
    ("different", "target", "passed", "accuracy"),
    [
        (1, 0, True, 0.995),  # half a point of accuracy may be lost
        (2, 0, False, 0.99),
        (4, 2, True, 0.98),  # two of a hundred labels may differ, both wrong
        (5, 2, False, 0.975),
        (5, 1, False, 1.0),  # better labels do not make up for different ones
    ],
)
def test_a_model_in_8_bits_serves_if_it_loses_little_accuracy_and_few_labels_differ(
    different: int, target: int, passed: bool, accuracy: float
) -> None:
    in_8_bits = np.zeros(200, np.int64)
    in_8_bits[:different] = 1

    result = decide(in_8_bits, predicting([0] * 200, [target] * different + [0] * (200 - different)))

    assert (result.passed, result.accuracy, result.same_label) == (passed, accuracy, 1 - different / 200)
    assert result.reason.startswith(("model.onnx", "model.int8.onnx")[passed] + " serves: ")
    assert f"{accuracy:.1%} of 200 test pictures are right in 8 bits" in result.reason


def test_a_model_that_loses_too_much_is_not_kept_and_the_log_says_so(
    folder: Path, in_32_bits: Evaluation, data_set: DataSet, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "model.int8.onnx").write_bytes(b"of a run that was interrupted")
    others = dataclasses.replace(in_32_bits, logits=-in_32_bits.logits)

    with caplog.at_level(logging.WARNING):
        result = export_int8(folder, data_set, others, workers=0)

    assert not result.passed
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert result.reason.startswith("model.onnx serves: ")
    assert result.reason in caplog.messages


def test_a_model_that_cannot_be_quantized_serves_as_it_is(
    folder: Path, in_32_bits: Evaluation, data_set: DataSet, caplog: pytest.LogCaptureFixture
) -> None:
    unknown_operator(folder, data_set)

    result = export_int8(folder, data_set, in_32_bits, workers=0)

    assert (result.passed, result.accuracy, result.same_label) == (False, None, None)
    assert result.accuracy_fp32 == in_32_bits.correct.mean()
    assert result.reason.startswith("model.onnx serves: ONNX Runtime cannot bring this model to 8 bits (Fail: ")
    assert [path.name for path in folder.iterdir()] == ["model.onnx"]
    assert result.reason in caplog.messages


def test_a_fault_of_this_program_is_not_taken_for_an_exotic_model(data_set: DataSet, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        quantize(tmp_path / "no such model", tmp_path / "out.onnx", np.zeros((1, 16, 16, 3), np.uint8), data_set.spec)


def test_an_exotic_model_is_named_in_a_line(folder: Path, data_set: DataSet, tmp_path: Path) -> None:
    unknown_operator(folder, data_set)

    with pytest.raises(NotConvertible) as caught:
        quantize(folder / "model.onnx", tmp_path / "out.onnx", np.zeros((1, 16, 16, 3), np.uint8), data_set.spec)

    assert len(str(caught.value).splitlines()) == 1


def test_it_is_calibrated_with_training_pictures_of_every_label_in_mixed_order(data_set: DataSet) -> None:
    chosen = calibration_pictures(data_set)

    train = data_set.rows("train")
    labels_by_pixels = {data_set.read_pixels(row[None]).tobytes(): data_set.targets[row] for row in train}
    labels = [int(labels_by_pixels[picture.tobytes()]) for picture in chosen]
    assert len(chosen) == min(CALIBRATION, len(train))
    assert labels != sorted(labels)
    assert set(labels) == {0, 1, 2}
    assert np.array_equal(chosen, calibration_pictures(data_set))


def test_streamed_pictures_are_calibrated_with_those_of_val(data_set: DataSet) -> None:
    streamed: Any = object()

    chosen = calibration_pictures(dataclasses.replace(data_set, shards=streamed))

    val = {picture.tobytes() for picture in data_set.read_pixels(data_set.rows("val"))}
    assert {picture.tobytes() for picture in chosen} == val


def test_a_run_says_on_both_cards_which_file_serves_and_why(trained: Trained) -> None:
    result = trained.card.quantized
    assert result.accuracy_fp32 == trained.card.metrics.accuracy
    assert result.pictures == trained.card.metrics.pictures
    serving = trained.card.serving_file
    assert serving == (registry.INT8 if result.passed else registry.ONNX)
    people = (trained.run / "version" / "README.md").read_text(encoding="utf-8")
    assert f"| Serves | {result.reason} |" in people
    assert f'InferenceSession("{serving}"' in people


def test_a_run_publishes_the_model_in_8_bits_only_where_it_serves(trained: Trained) -> None:
    storage, card = open_storage(trained.config.bucket), trained.card
    assert (registry.INT8 in card.files) is (card.serving_file == registry.INT8)
    predict = onnx_predictor(registry.read_file(storage, card, card.serving_file), card.input)
    assert predict(np.zeros((1, 32, 32, 3), np.uint8)).shape == (1, 3)
