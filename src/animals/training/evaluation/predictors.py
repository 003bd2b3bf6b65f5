"""A model as a function from pixels to logits, in torch or in ONNX Runtime."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from animals.cpus import available_cpus
from animals.inference import ONNX_INPUT, ONNX_OUTPUT, ONNX_PROJECTION, open_session
from animals.preprocess import InputSpec, normalize

Predict = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Pixels of shape (pictures, side, side, 3) -> logits of shape (pictures, labels)."""

PredictAll = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float64], NDArray[np.float32]]]
"""Pixels -> logits, and projections of shape (pictures, dimensions)."""

BATCH: Final = 64
"""Pictures in one call of ONNX Runtime."""


def torch_predictor(module: nn.Module) -> Predict:
    """Return a function that runs a module, which takes pixels, in evaluation mode on the device of its weights."""
    module.eval()
    device = next(module.parameters()).device

    @torch.inference_mode()
    def predict(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        logits: NDArray[np.float32] = module(torch.from_numpy(pixels).to(device)).float().cpu().numpy()
        return logits.astype(np.float64)

    return predict


def onnx_predictor(model: bytes | Path, spec: InputSpec) -> Predict:
    """Return a function that runs an exported model on all CPUs.

    Args:
        model: the ONNX file, or its content.
        spec: how pixels are normalized.

    Raises:
        BrokenModel: ONNX Runtime cannot load the model.
    """
    predict = onnx_predictor_of_all(model, spec)
    return lambda pixels: predict(pixels)[0]


def onnx_predictor_of_all(model: bytes | Path, spec: InputSpec) -> PredictAll:
    """Return a function that runs an exported model and gives its projections too.

    Projections of a model that has no such output have 0 dimensions.
    """
    session = open_session(model, threads=available_cpus())
    outputs = [ONNX_OUTPUT]
    if ONNX_PROJECTION in {output.name for output in session.get_outputs()}:
        outputs.append(ONNX_PROJECTION)

    def predict(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        parts = np.array_split(pixels, math.ceil(len(pixels) / BATCH))
        results = [session.run(outputs, {ONNX_INPUT: normalize(part, spec)}) for part in parts]
        logits, *projections = (np.concatenate(output) for output in zip(*results, strict=True))
        return logits.astype(np.float64), projections[0] if projections else np.empty((len(pixels), 0), np.float32)

    return predict
