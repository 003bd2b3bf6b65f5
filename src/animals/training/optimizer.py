"""The optimizer and the learning rate schedule."""

import inspect
import math
from typing import Any

import timm.optim
from torch import nn
from torch.optim import Optimizer

from animals.config.training import OptimizerConfig, SchedulerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig, *, fused: bool = True) -> Optimizer:
    """Return an optimizer of timm for all weights of a model, which is on its device.

    With `fused`, one kernel reads and writes each weight once per step, where the optimizer has such a kernel.
    """
    optimizer_class: Any = timm.optim.get_optimizer_class(config.name, bind_defaults=False)
    has_fused = "fused" in inspect.signature(optimizer_class).parameters
    options: dict[str, Any] = {"fused": True} if fused and has_fused else {}
    return timm.optim.create_optimizer_v2(
        model, opt=config.name, lr=config.lr, weight_decay=config.weight_decay, **options
    )


def learning_rate_factor(step: int, *, steps: int, config: SchedulerConfig) -> float:
    """Return the fraction of the highest learning rate at a step: a linear warm-up, then a cosine or a constant."""
    warmup = round(steps * config.warmup)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    if config.name == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
