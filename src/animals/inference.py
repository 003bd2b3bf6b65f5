"""Run an exported model: ONNX Runtime session, names of inputs and outputs, probabilities."""

from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as onnx_errors

from animals.errors import BrokenModel

ONNX_INPUT: Final = "input"
"""Name of an exported model's input: float32 of shape (pictures, 3, side, side)."""

ONNX_OUTPUT: Final = "logits"
"""Name of an exported model's output: float32 of shape (pictures, labels)."""

ONNX_PROJECTION: Final = "projection"
"""Name of the second output: the pooled features times a fixed random matrix, float32 of shape (pictures, dimensions).

Pictures that differ from the training pictures lie elsewhere in it. Networks without pooled features do not have it.
"""

# ONNX Runtime's exceptions have no common base. These are what damaged files and files of another shape raise.
ONNX_ERRORS: Final = (
    onnx_errors.Fail,
    onnx_errors.InvalidArgument,
    onnx_errors.InvalidGraph,
    onnx_errors.InvalidProtobuf,
    onnx_errors.NotImplemented,
    onnx_errors.RuntimeException,
    ValueError,  # raised in Python for an input of another name
)


def open_session(model: bytes | Path, *, threads: int = 1) -> onnxruntime.InferenceSession:
    """Return an ONNX Runtime session on the CPU.

    Args:
        model: an ONNX file, or its content.
        threads: threads that work on one call of `run`.

    Raises:
        BrokenModel: ONNX Runtime cannot load the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # errors are raised, so that they need not be logged
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except ONNX_ERRORS as error:
        raise BrokenModel(f"ONNX Runtime cannot load the model: {error}") from error


def probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Return the softmax of logits divided by a temperature, along the last axis, in double precision.

    Args:
        logits: shape (..., labels).
        temperature: above 1 the confidence becomes lower, below 1 higher; the likeliest label stays the same.
    """
    wide = logits.astype(np.float64) / temperature
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))  # the largest becomes 1, so that nothing overflows
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
