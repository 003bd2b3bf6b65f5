"""The trained model in the forms that others load: timm's hub format and ONNX."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from timm.models import save_for_hf
from torch import nn

from animals.errors import ExportMismatch
from animals.inference import ONNX_INPUT, ONNX_OUTPUT, ONNX_PROJECTION, probabilities
from animals.preprocess import InputSpec
from animals.records import ExportCheck
from animals.registry import ONNX
from animals.training.evaluation.predictors import onnx_predictor
from animals.training.export.projection import projected

TOLERANCE: Final = 1e-4
"""Largest difference of a probability between the trained and the exported model."""


def export_hub_format(model: nn.Module, labels: Sequence[str], spec: InputSpec, folder: Path) -> None:
    """Write `model.safetensors` and `config.json`.

    `timm.create_model("local-dir:FOLDER", pretrained=True)` reads them back.
    """
    data_config = {
        "input_size": (3, spec.side, spec.side),
        "mean": spec.mean,
        "std": spec.std,
        "crop_pct": spec.crop_pct if spec.resize == "center" else 1.0,  # timm would cut a squashed picture too
        "crop_mode": spec.resize,
        "interpolation": spec.interpolation,
    }
    save_for_hf(
        model, str(folder), model_config={"label_names": list(labels)}, safe_serialization=True, data_config=data_config
    )


def export_onnx(model: nn.Module, spec: InputSpec, folder: Path) -> Path:
    """Write `model.onnx`, which takes any number of pictures at once, in one file; it gives logits and projections."""
    model.eval()
    both = projected(model, spec.side)
    path = folder / ONNX
    example = torch.zeros(2, 3, spec.side, spec.side)
    # each rewritten operator would be a line on the terminal
    logging.getLogger("onnxscript").setLevel(logging.WARNING)
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    torch.onnx.export(
        model if both is None else both.eval(),
        (example,),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=[ONNX_INPUT],
        output_names=[ONNX_OUTPUT, *([] if both is None else [ONNX_PROJECTION])],
        dynamic_shapes=({0: torch.export.Dim("pictures")},),
    )
    return path


def check_onnx(
    path: Path, pixels: NDArray[np.uint8], logits: NDArray[np.float64], spec: InputSpec, *, temperature: float
) -> ExportCheck:
    """Hold the exported model's answers against the trained one's.

    Args:
        path: of the ONNX file.
        pixels: test pictures, shape (pictures, side, side, 3).
        logits: the trained model's, shape (pictures, labels).
        spec: how the pictures are normalized.
        temperature: of the probabilities that are compared.

    Raises:
        ExportMismatch: another label on any picture, or a probability that differs by `TOLERANCE` or more.
    """
    found = onnx_predictor(path, spec)(pixels)
    trained, exported = (probabilities(answers, temperature) for answers in (logits, found))
    # two labels closer together than the tolerance may change places without that being another answer
    chosen = np.take_along_axis(trained, exported.argmax(1)[:, None], 1)[:, 0]
    check = ExportCheck(
        pictures=len(pixels),
        same_label=int((chosen > trained.max(1) - TOLERANCE).sum()),
        max_probability_difference=float(np.abs(exported - trained).max()),
    )
    if check.same_label < check.pictures or check.max_probability_difference >= TOLERANCE:
        raise ExportMismatch(
            f"{path} answers otherwise than the trained model: {check.same_label} of {check.pictures} test pictures "
            f"have the same label, the largest difference of a probability is {check.max_probability_difference:.1e}; "
            f"expected all, and under {TOLERANCE:.0e}. It was not published. Try another version of onnxruntime."
        )
    return check
