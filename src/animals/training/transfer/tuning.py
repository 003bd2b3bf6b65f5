"""Fine-tune the last stages of a network from a fitted head, within a budget of time."""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from timm.models import group_parameters
from torch import Tensor, nn
from torch.nn import functional

from animals.config.training import TrainConfig
from animals.data.load import DataSet
from animals.training.loader import evaluation_loader
from animals.training.module import PictureClassifier
from animals.training.trainer import fit

log = logging.getLogger(__name__)

SHARES: Final = (0.5, 1.0)
"""How far from the frozen network towards the tuned one the weights are that are tried (Wortsman et al., 2022)."""

Z_95: Final = 1.645
"""One-sided 95 % quantile of the normal distribution."""

LEAST_STEPS: Final = 20
TIMED_STEPS: Final = 3
RESERVE: Final = 0.8
"""Part of the time left that is planned for steps, since steps get slower on a busy machine."""


def freeze_early_stages(model: nn.Module, stages: int) -> list[str]:
    """Let only the last stages and the classifier be trained.

    Args:
        model: a network of timm.
        stages: number of stages, as timm groups its parameters, beside the classifier.

    Returns:
        The names of the parameters that are trained.
    """
    groups = group_parameters(model, cast(Any, model).group_matcher(coarse=True))
    trained = {name for group in sorted(groups)[-(stages + 1) :] for name in groups[group]}
    for name, parameter in model.named_parameters():
        parameter.requires_grad = name in trained
    return sorted(trained)


class FixedStatistics(Callback):
    """Keeps batch norm at its pretrained statistics, which small batches of few pictures would spoil."""

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - Lightning's signature
        """Put each batch norm into evaluation mode."""
        for module in pl_module.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def plan_batches(module: PictureClassifier, data_set: DataSet, config: TrainConfig, seconds: float) -> int:
    """Return how many training steps fit into a time, measured on a few steps of this network on this machine."""
    pixels, targets = next(
        iter(evaluation_loader(data_set, "train", batch_size=config.trainer.batch_size, workers=config.trainer.workers))
    )
    started = 0.0
    for step in range(TIMED_STEPS + 1):
        if step == 1:  # the first one also prepares kernels
            started = time.monotonic()
        functional.cross_entropy(module(pixels), targets).backward()  # type: ignore[no-untyped-call]
        module.zero_grad()
    each = (time.monotonic() - started) / TIMED_STEPS
    return int(RESERVE * seconds / each)


def mixed(first: dict[str, Tensor], second: dict[str, Tensor], share: float) -> dict[str, Tensor]:
    """Return weights between two networks: `share` 0 is the first, 1 the second."""
    return {
        name: torch.lerp(value, second[name], share) if value.is_floating_point() else value
        for name, value in first.items()
    }


def is_better(before: NDArray[np.float64], after: NDArray[np.float64]) -> bool:
    """Return whether losses of the same pictures fell by more than chance (one-sided paired test at 5 %)."""
    gain = before - after
    return bool(gain.mean() > Z_95 * gain.std(ddof=1) / np.sqrt(len(gain)))
