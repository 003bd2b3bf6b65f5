"""A random projection of the pooled features, by which drift in unlabelled pictures is found.

The pooled features are hundreds of numbers a picture. A random projection keeps distances between pictures roughly as
they are (Johnson and Lindenstrauss, 1984), needs no fitting, and its matrix goes into the exported graph as a constant.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

DIMENSIONS: Final = 8
SEED: Final = 1984


def projection_matrix(width: int) -> NDArray[np.float32]:
    """Return the matrix for features of that width, shape (width, DIMENSIONS): the same for every model of that width.

    Squared distances keep their mean.
    """
    matrix = np.random.default_rng(SEED).standard_normal((width, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    return np.asarray(matrix, np.float32)


def add_projection(model: nn.Module, side: int) -> "Projected | None":
    """Return a model of timm with a second output, the projection of its pooled features.

    Args:
        model: in evaluation mode.
        side: of its pictures.

    Returns:
        None for the few of timm's models that do not give their pooled features.
    """
    try:
        with torch.inference_mode():
            pooled = _pooled(model, _features(model, torch.zeros(1, 3, side, side)))
    except (AttributeError, TypeError):  # no such method, or without `pre_logits`
        return None
    return Projected(model, pooled.shape[1]) if pooled.ndim == 2 else None


# timm's models have these methods without a class that says so
def _features(model: Any, pictures: Tensor) -> Tensor:
    features: Tensor = model.forward_features(pictures)
    return features


def _pooled(model: Any, features: Tensor) -> Tensor:
    pooled: Tensor = model.forward_head(features, pre_logits=True)
    return pooled


def _logits(model: Any, features: Tensor) -> Tensor:
    logits: Tensor = model.forward_head(features)
    return logits


class Projected(nn.Module):
    """A model with the projection of its pooled features as a second output.

    Args:
        model: of timm.
        width: number of its pooled features.
    """

    matrix: Tensor

    def __init__(self, model: nn.Module, width: int) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("matrix", torch.from_numpy(projection_matrix(width)))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits, shape (pictures, labels), and projections, shape (pictures, DIMENSIONS)."""
        features = _features(self.model, pictures)
        # the graph has the pooling twice; ONNX Runtime computes it once
        return _logits(self.model, features), _pooled(self.model, features) @ self.matrix
