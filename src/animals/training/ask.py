"""A model as a function from pixels to logits, whatever runs it."""

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from animals.cpus import available_cpus
from animals.outputs import ONNX_INPUT, ONNX_OUTPUT, ONNX_PROJECTION
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
    session = _session(model)

    def ask(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        return _in_parts(session, ONNX_OUTPUT, pixels, spec).astype(np.float64)

    return ask


def project_onnx(model: bytes | Path, spec: InputSpec) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]] | None:
    """Pixels to projections of shape (pictures, dimensions) by an exported model; None if it does not give them."""
    session = _session(model)
    if ONNX_PROJECTION not in {output.name for output in session.get_outputs()}:
        return None
    return partial(_in_parts, session, ONNX_PROJECTION, spec=spec)


def _session(model: bytes | Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cpus()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _in_parts(
    session: onnxruntime.InferenceSession, output: str, pixels: NDArray[np.uint8], spec: InputSpec
) -> NDArray[np.float32]:
    parts = np.array_split(pixels, math.ceil(len(pixels) / BATCH))
    return np.concatenate([session.run([output], {ONNX_INPUT: normalize(part, spec)})[0] for part in parts])
