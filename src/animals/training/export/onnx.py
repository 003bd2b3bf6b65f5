"""The export of the trained model to timm's hub format and to ONNX."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from timm.models import save_for_hf
from torch import nn

from animals.errors import AnimalsError
from animals.inference import ONNX_INPUT, ONNX_OUTPUT, ONNX_PROJECTION, probabilities
from animals.preprocess import InputSpec
from animals.records import ExportCheck
from animals.registry import ONNX
from animals.training.evaluation.predictors import onnx_predictor
from animals.training.export.padding import with_static_padding
from animals.training.export.projection import DIMENSIONS, add_projection, projection_matrix

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
    """Write `model.onnx`, one file that takes any number of pictures at once and returns logits and projections."""
    model.eval()
    model = with_static_padding(model, spec.side)
    with_projection = add_projection(model, spec.side)
    outputs = [ONNX_OUTPUT, *([ONNX_PROJECTION] if with_projection else [])]
    path = folder / ONNX
    export_graph(with_projection.eval() if with_projection else model, spec.side, path, outputs)
    return path


def export_graph(model: nn.Module, side: int, path: Path, outputs: Sequence[str]) -> None:
    """Write a network as ONNX, one file that takes any number of pictures of `side` pixels at once."""
    # they log a line for each rewritten operator
    logging.getLogger("onnxscript").setLevel(logging.WARNING)
    logging.getLogger("onnx_ir").setLevel(logging.WARNING)
    torch.onnx.export(
        model,
        (torch.zeros(2, 3, side, side),),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=[ONNX_INPUT],
        output_names=list(outputs),
        dynamic_shapes=({0: torch.export.Dim("pictures")},),
    )


def append_head(backbone: Path, weight: NDArray[np.float32], bias: NDArray[np.float32], folder: Path) -> Path:
    """Write `model.onnx` from an exported backbone, whose one output is its pooled features.

    It computes what `export_onnx` would write for the whole network, without the seconds of another export.

    Args:
        backbone: written by `export_graph`.
        weight: of the linear head, shape (labels, dimensions).
        bias: shape (labels,).
        folder: for the file.
    """
    model = onnx.load(backbone)
    graph = model.graph
    [features] = graph.output
    pictures = features.type.tensor_type.shape.dim[0].dim_param
    labels, dimensions = weight.shape
    constants = {"head.weight": weight, "head.bias": bias, "projection.matrix": projection_matrix(dimensions)}
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    graph.node.extend(
        [
            helper.make_node("Gemm", [features.name, "head.weight", "head.bias"], [ONNX_OUTPUT], "head", transB=1),
            helper.make_node("MatMul", [features.name, "projection.matrix"], [ONNX_PROJECTION], "projection"),
        ]
    )
    del graph.output[:]
    for name, width in ((ONNX_OUTPUT, labels), (ONNX_PROJECTION, DIMENSIONS)):
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, (pictures, width)))
    path = folder / ONNX
    onnx.save(model, path)
    return path


def check_onnx(
    path: Path, pixels: NDArray[np.uint8], logits: NDArray[np.float64], spec: InputSpec, *, temperature: float
) -> ExportCheck:
    """Compare the exported model's predictions with the trained one's.

    Args:
        path: of the ONNX file.
        pixels: test pictures, shape (pictures, side, side, 3).
        logits: the trained model's, shape (pictures, labels).
        spec: how the pictures are normalized.
        temperature: of the probabilities that are compared.

    Raises:
        AnimalsError: a label differs, or a probability by `TOLERANCE` or more.
    """
    trained = probabilities(logits, temperature)
    exported = probabilities(onnx_predictor(path, spec)(pixels), temperature)
    # labels whose probabilities differ by less than the tolerance count as the same
    chosen = np.take_along_axis(trained, exported.argmax(1)[:, None], 1)[:, 0]
    check = ExportCheck(
        pictures=len(pixels),
        same_label=int((chosen > trained.max(1) - TOLERANCE).sum()),
        max_probability_difference=float(np.abs(exported - trained).max()),
    )
    if check.same_label < check.pictures or check.max_probability_difference >= TOLERANCE:
        raise AnimalsError(
            f"{path} differs from the trained model: {check.same_label} of {check.pictures} test pictures "
            f"have the same label, the largest difference of a probability is {check.max_probability_difference:.1e}; "
            f"expected all, and under {TOLERANCE:.0e}. It was not published. Try another version of onnxruntime."
        )
    return check
