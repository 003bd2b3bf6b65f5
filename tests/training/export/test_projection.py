"""The exported model also gives a few numbers on what it saw, and its answers stay what they were."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import timm
import torch
from torch import nn

from animals.inference import ONNX_INPUT, ONNX_OUTPUT, ONNX_PROJECTION
from animals.preprocess import InputSpec
from animals.training.evaluation.predictors import onnx_predictor_of_all
from animals.training.export.onnx import export_onnx
from animals.training.export.projection import DIMENSIONS, SEED, Projected, add_projection
from animals.training.export.quantize import quantize

SPEC = InputSpec(side=32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def network(name: str, **options: Any) -> nn.Module:
    torch.manual_seed(0)
    model: nn.Module = timm.create_model(name, num_classes=3, **options)
    return model.eval()


def noise(pictures: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    tones = rng.integers(0, 200, (pictures, 1, 1, 3))
    return (tones + rng.integers(0, 56, (pictures, SPEC.side, SPEC.side, 3))).astype(np.uint8)


def test_the_export_gives_logits_as_before_and_the_pooled_features_times_the_matrix(tmp_path: Path) -> None:
    model = network("resnet10t")
    session = onnxruntime.InferenceSession(export_onnx(model, SPEC, tmp_path), providers=["CPUExecutionProvider"])
    pictures = torch.randn(3, 3, SPEC.side, SPEC.side)
    logits, projection = session.run([ONNX_OUTPUT, ONNX_PROJECTION], {ONNX_INPUT: pictures.numpy()})
    with torch.inference_mode():
        expected = model(pictures).numpy()
        pooled = model.forward_features(pictures).mean(dim=(2, 3)).numpy()  # type: ignore[operator]
    matrix = np.random.default_rng(SEED).standard_normal((pooled.shape[1], DIMENSIONS)) / np.sqrt(DIMENSIONS)
    np.testing.assert_allclose(logits, expected, atol=1e-5)
    np.testing.assert_allclose(projection, pooled @ matrix, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mobilenetv3_small_050", {}),  # whose head has layers after the pooling
        ("convnext_atto", {}),
        ("vit_tiny_patch16_224", {"img_size": 32}),
        ("deit_tiny_distilled_patch16_224", {"img_size": 32}),  # with two heads
    ],
)
def test_networks_of_other_kinds_are_projected_too(name: str, options: dict[str, int]) -> None:
    model = network(name, **options)
    both = add_projection(model, SPEC.side)
    assert both is not None
    pictures = torch.randn(2, 3, SPEC.side, SPEC.side)
    with torch.inference_mode():
        logits, projection = both.eval()(pictures)
        torch.testing.assert_close(logits, model(pictures))
    assert projection.shape == (2, DIMENSIONS)
    assert not torch.allclose(projection[0], projection[1])


def test_a_network_that_does_not_show_what_it_pools_is_exported_without(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * SPEC.side**2, 3))
    assert add_projection(model, SPEC.side) is None
    path = export_onnx(model, SPEC, tmp_path)
    assert onnx_predictor_of_all(path, SPEC)(noise(2))[1].shape == (2, 0)


def test_the_distances_between_pictures_are_about_those_of_their_features() -> None:
    features = np.random.default_rng(1).standard_normal((200, 512)).astype(np.float32)
    matrix = Projected(nn.Identity(), 512).matrix.numpy()
    before = np.square(features[:100] - features[100:]).sum(1)
    after = np.square((features[:100] - features[100:]) @ matrix).sum(1)
    assert (after / before).mean() == pytest.approx(1, abs=0.15)


def test_in_8_bits_the_projection_is_about_the_same_and_not_itself_in_8_bits(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    pixels = noise(64)
    path = export_onnx(network("resnet10t"), SPEC, tmp_path)
    quantize(path, tmp_path / "int8.onnx", pixels, SPEC)
    fp32, int8 = (onnx_predictor_of_all(model, SPEC)(pixels)[1] for model in (path, tmp_path / "int8.onnx"))
    assert np.abs(int8 - fp32).mean() < 0.2 * fp32.std(0).mean()
    session = onnxruntime.InferenceSession(tmp_path / "int8.onnx", providers=["CPUExecutionProvider"])
    assert ONNX_PROJECTION in {output.name for output in session.get_outputs()}
    [node] = [node for node in onnx.load(tmp_path / "int8.onnx").graph.node if ONNX_PROJECTION in node.output]
    assert node.op_type == "MatMul"  # and no DequantizeLinear, as before the logits
