"""What a model gives, and how it becomes probabilities: the same for evaluation and serving."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

ONNX_INPUT: Final = "input"
"""Name of an exported model's input: float32 of shape (pictures, 3, side, side)."""

ONNX_OUTPUT: Final = "logits"
"""Name of an exported model's output: float32 of shape (pictures, labels)."""

ONNX_PROJECTION: Final = "projection"
"""Name of its second output, which older models lack: what the network sees before it decides, as a few numbers.

The pooled features times a fixed random matrix, float32 of shape (pictures, dimensions): pictures of another kind than
those trained on lie elsewhere.
"""


def probabilities(logits: NDArray[np.floating], temperature: float) -> NDArray[np.float64]:
    """Logits to probabilities along the last axis, in double precision.

    Args:
        logits: shape (..., labels).
        temperature: what the logits are divided by first. Over 1 the answers become less sure, under 1 surer; which
            label is the likeliest stays the same.
    """
    wide = logits.astype(np.float64) / temperature
    powers = np.exp(wide - wide.max(axis=-1, keepdims=True))  # the largest becomes 1, so that nothing overflows
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
