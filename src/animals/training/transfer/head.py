"""A linear head on features: multinomial logistic regression by L-BFGS, its strength chosen on validation pictures."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

STRENGTHS: Final = (0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Penalties that are tried, the strongest first; each fit begins from the one before."""

ITERATIONS: Final = 30
"""Of L-BFGS at each strength; with 80 the validation loss changes by less than 0.001."""


@dataclass(frozen=True, slots=True)
class Head:
    """A linear layer: logits are `features @ weight.T + bias`."""

    weight: NDArray[np.float32]
    """Shape (labels, dimensions)."""
    bias: NDArray[np.float32]
    """Shape (labels,)."""

    def logits(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return logits of shape (pictures, labels)."""
        return (features @ self.weight.T + self.bias).astype(np.float64)


@dataclass(frozen=True, slots=True)
class Examples:
    """Features of pictures with their labels."""

    features: NDArray[np.float32]
    """Shape (pictures, dimensions)."""
    targets: NDArray[np.int64]
    """Index of each picture's label, shape (pictures,)."""

    def weights(self, labels: int, *, balance: bool) -> NDArray[np.float32]:
        """Return the weight of each picture: with `balance` all labels weigh the same in sum; the mean is 1."""
        if not balance:
            return np.ones(len(self.targets), np.float32)
        counts = np.bincount(self.targets, minlength=labels)
        return (len(self.targets) / (np.count_nonzero(counts) * counts[self.targets])).astype(np.float32)


@dataclass(frozen=True, slots=True)
class FittedHead:
    """The chosen head, and how it was chosen."""

    head: Head
    strength: float
    losses: dict[float, float]
    """Strength -> mean cross-entropy on the validation pictures."""


def fit_head(train: Examples, val: Examples, labels: int, *, balance: bool, start: Head | None = None) -> FittedHead:
    """Fit a head for each strength of the penalty, and choose one on the validation pictures.

    The penalty is the squared distance of the weights, on standardized features, from `start`, or from 0. Of the
    strengths whose validation loss is within one standard error of the best, the strongest is taken (Breiman et al.,
    1984): it changes least of what the network knew, at no loss that could be told from chance.

    Args:
        train: to fit on.
        val: to choose on.
        labels: number of labels.
        balance: give rare labels the same weight in sum as frequent ones.
        start: head that the penalty holds the weights near, for the raw features.
    """
    mean, std = train.features.mean(0), train.features.std(0) + 1e-3
    tensors = [torch.from_numpy((part.features - mean) / std) for part in (train, val)]
    targets = [torch.from_numpy(part.targets) for part in (train, val)]
    weights = [torch.from_numpy(part.weights(labels, balance=balance)) for part in (train, val)]
    origin = _standardized(start, mean, std) if start else torch.zeros(labels, train.features.shape[1] + 1)
    parameters = origin.clone()
    fits: dict[float, tuple[Tensor, Tensor]] = {}
    for strength in STRENGTHS:
        parameters = _minimize(tensors[0], targets[0], weights[0], origin, parameters, strength)
        fits[strength] = (
            parameters,
            weights[1] * functional.cross_entropy(_logits(tensors[1], parameters), targets[1], reduction="none"),
        )
    losses = {strength: float(loss.mean()) for strength, (_, loss) in fits.items()}
    strength = _choose({strength: loss for strength, (_, loss) in fits.items()})
    return FittedHead(_raw(fits[strength][0], mean, std), strength, losses)


def _choose(losses: dict[float, Tensor]) -> float:
    """Return the strongest penalty whose loss is within one standard error of the least."""
    best = min(losses, key=lambda strength: float(losses[strength].mean()))
    for strength in sorted(losses, reverse=True):
        difference = losses[strength] - losses[best]
        if float(difference.mean()) <= float(difference.std()) / len(difference) ** 0.5:
            return strength
    return best


def _logits(features: Tensor, parameters: Tensor) -> Tensor:
    return features @ parameters[:, :-1].T + parameters[:, -1]


def _minimize(
    features: Tensor, targets: Tensor, weights: Tensor, origin: Tensor, start: Tensor, strength: float
) -> Tensor:
    parameters = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([parameters], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe")

    def cost() -> Tensor:
        optimizer.zero_grad()
        loss = (weights * functional.cross_entropy(_logits(features, parameters), targets, reduction="none")).mean()
        loss = loss + strength / 2 * (parameters - origin)[:, :-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(cost)  # type: ignore[no-untyped-call]
    return parameters.detach()


def _standardized(head: Head, mean: NDArray[np.float32], std: NDArray[np.float32]) -> Tensor:
    """Return the parameters on standardized features of a head for raw ones."""
    bias = head.bias + head.weight @ mean
    return torch.from_numpy(np.column_stack([head.weight * std, bias]).astype(np.float32))


def _raw(parameters: Tensor, mean: NDArray[np.float32], std: NDArray[np.float32]) -> Head:
    """Return the head for raw features of parameters on standardized ones."""
    values = parameters.numpy().astype(np.float64)
    weight = values[:, :-1] / std
    return Head(weight.astype(np.float32), (values[:, -1] - weight @ mean).astype(np.float32))
