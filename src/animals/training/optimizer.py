"""What moves the weights, and how fast."""

import inspect
import math
from typing import Any

import timm.optim
from torch import nn
from torch.optim import Optimizer

from animals.config.training import OptimizerConfig, SchedulerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig, *, fused: bool = True) -> Optimizer:
    """An optimizer of timm for all weights of a model.

    Args:
        model: on its device.
        config: which one.
        fused: read and write each weight once a step rather than once an operation, where the optimizer can.
    """
    kind: Any = timm.optim.get_optimizer_class(config.name, bind_defaults=False)
    more: dict[str, Any] = {"fused": True} if fused and "fused" in inspect.signature(kind).parameters else {}
    return timm.optim.create_optimizer_v2(
        model, opt=config.name, lr=config.lr, weight_decay=config.weight_decay, **more
    )


def learning_rate_factor(step: int, *, steps: int, config: SchedulerConfig) -> float:
    """Part of the highest learning rate that a step uses: up in a line, then down along a cosine or level."""
    warmup = round(steps * config.warmup)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.name == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
