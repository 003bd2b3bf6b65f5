"""An exported model that differs from the trained one is never published."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from animals.errors import AnimalsError
from animals.preprocess import InputSpec, normalize
from animals.training.export.onnx import check_onnx, export_onnx

SPEC = InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 4))


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (70, 8, 8, 3), dtype=np.uint8)


def answers(model: nn.Module, pixels: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        logits: np.ndarray = model(torch.from_numpy(normalize(pixels, SPEC))).double().numpy()
    return logits


def test_a_faithful_export_passes_for_any_number_of_pictures(
    model: nn.Module, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = export_onnx(model, SPEC, tmp_path)
    check = check_onnx(path, pixels, answers(model, pixels), SPEC, temperature=1.0)
    assert check.same_label == check.pictures == 70
    assert check.max_probability_difference < 1e-5


def test_an_export_that_differs_is_refused_with_the_numbers(
    model: nn.Module, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = export_onnx(model, SPEC, tmp_path)
    logits = answers(model, pixels)
    logits[0] = -logits[0]
    with pytest.raises(AnimalsError, match=r"69 of 70 test pictures have the same label.*expected all, and under"):
        check_onnx(path, pixels, logits, SPEC, temperature=1.0)


def test_two_labels_that_are_as_good_as_equal_may_change_places(
    model: nn.Module, pixels: np.ndarray, tmp_path: Path
) -> None:
    path = export_onnx(model, SPEC, tmp_path)
    logits = answers(model, pixels[:1])
    first, second = np.argsort(logits[0])[::-1][:2]
    with torch.no_grad():  # a tie in the trained model, broken the other way by a hair
        model[1].bias[second] += logits[0, first] - logits[0, second]  # type: ignore[index]
    path = export_onnx(model, SPEC, tmp_path)
    tied = answers(model, pixels[:1])
    tied[0, second] = tied[0, first] + (1e-7 if tied[0, second] <= tied[0, first] else -1e-7)
    assert check_onnx(path, pixels[:1], tied, SPEC, temperature=1.0).same_label == 1
