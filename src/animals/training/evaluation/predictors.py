"""A model as a function from pixels to logits, whatever runs it."""

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

Ask = Callable[[NDArray[np.uint8]], NDArray[np.float64]]
"""Pixels of shape (pictures, side, side, 3) -> logits of shape (pictures, labels)."""

BATCH: Final = 64
"""Pictures that ONNX Runtime works on at once."""


def ask_module(module: nn.Module) -> Ask:
    """A module that takes pixels, put into evaluation mode; it answers where its weights are."""
    module.eval()
    device = next(module.parameters()).device

    @torch.inference_mode()
    def ask(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        logits: NDArray[np.float32] = module(torch.from_numpy(pixels).to(device)).float().cpu().numpy()
        return logits.astype(np.float64)

    return ask


def ask_onnx(model: bytes | Path, spec: InputSpec) -> Ask:
    """An exported model, on all CPUs.

    Args:
        model: the ONNX file, or its content.
        spec: how pixels are normalized.
    """
    answer = answer_onnx(model, spec)
    return lambda pixels: answer(pixels)[0]


def answer_onnx(
    model: bytes | Path, spec: InputSpec
) -> Callable[[NDArray[np.uint8]], tuple[NDArray[np.float64], NDArray[np.float32]]]:
    """An exported model with all that it gives: pixels to logits, and to projections of shape (pictures, dimensions).

    Projections of a model that gives none have no dimensions.
    """
    session = open_session(model, threads=available_cpus())
    outputs = [ONNX_OUTPUT]
    if ONNX_PROJECTION in {output.name for output in session.get_outputs()}:
        outputs.append(ONNX_PROJECTION)

    def answer(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        parts = np.array_split(pixels, math.ceil(len(pixels) / BATCH))
        answers = [session.run(outputs, {ONNX_INPUT: normalize(part, spec)}) for part in parts]
        logits, *projections = (np.concatenate(output) for output in zip(*answers, strict=True))
        return logits.astype(np.float64), projections[0] if projections else np.empty((len(pixels), 0), np.float32)

    return answer
