"""Tuning of a network's last stages after its head (Kumar et al., 2022), kept only where it is better beyond chance."""

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from scipy.special import log_softmax
from scipy.stats import ttest_1samp
from timm.models import group_parameters
from timm.utils.model import freeze_batch_norm_2d, unfreeze_batch_norm_2d
from torch import Tensor, nn

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.training.evaluation.metrics import evaluate
from animals.training.evaluation.predictors import torch_predictor
from animals.training.hardware import choose_device
from animals.training.module import PictureClassifier, build_module
from animals.training.trainer import fit
from animals.training.transfer.head import Examples

log = logging.getLogger(__name__)

TUNED: Final = 1 / 3
"""Share of the network's stages that are tuned, the last ones."""

SHARES: Final = (1.0, 0.5)
"""Shares of the tuned weights in the averages that are tried (Wortsman et al., 2022); the others are as before."""

SIGNIFICANCE: Final = 0.05
"""Probability of taking a network that is no better on the validation pictures."""


def tune(
    config: TrainConfig,
    network: nn.Module,
    head_logits: NDArray[np.float64],
    data_set: DataSet,
    run: Path,
    *,
    seconds: float,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
) -> str | None:
    """Tune the last stages of a network, or continue an interrupted tuning in the folder `run`.

    Args:
        config: of the run; its optimizer, scheduler, augmentation and trainer are used.
        network: with a fitted head. Its weights change only if the result is better.
        head_logits: its logits for the validation pictures, shape (pictures, labels).
        data_set: the pictures.
        run: the run's folder.
        seconds: after which tuning ends; `math.inf`: after `trainer.epochs`.
        loggers: of the training.
        callbacks: of the training.

    Returns:
        A description of what was tuned; None if the network is as before.
    """
    last = last_stages(network)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    tuned = [network.get_parameter(name) for name in last]
    for parameter in tuned:
        parameter.requires_grad_()
    before = [parameter.detach().cpu().clone() for parameter in tuned]
    # statistics of a few batches would replace those of ImageNet
    frozen = cast(nn.Module, freeze_batch_norm_2d(network))  # type: ignore[no-untyped-call]
    module = build_module(config, data_set, frozen.train())
    fit(module, data_set, run, config.trainer, seed=config.seed, seconds=seconds, loggers=loggers, callbacks=callbacks)
    after = [parameter.detach().cpu().clone() for parameter in tuned]
    chosen = _choose(module, tuned, before, after, head_logits, data_set, config)
    _blend(tuned, before, after, chosen or 0.0)
    unfreeze_batch_norm_2d(network)  # type: ignore[no-untyped-call]
    network.cpu().eval()
    if chosen is None:
        log.info("Tuning is not significantly better than the head alone, which is kept")
        return None
    average = "" if chosen == 1 else f", averaged with those before at a share of {chosen:.0%}"
    return f"the last {len(last)} of {sum(1 for _ in network.parameters())} tensors, from {last[0]}{average}"


def last_stages(network: nn.Module) -> list[str]:
    """Return the names of the parameters of the last stages and of the head, as timm groups them."""
    matcher = cast(Any, network).group_matcher(coarse=True)
    groups = group_parameters(network, matcher)  # stem, stages, head
    first = len(groups) - 1 - math.ceil((len(groups) - 1) * TUNED)
    names = {name for group, members in groups.items() if group >= first for name in members}
    # norms are frozen: their parameters become buffers
    convolutions = {
        f"{prefix}.{name}".lstrip(".")
        for prefix, module in network.named_modules()
        if not isinstance(module, nn.BatchNorm2d)
        for name, _ in module.named_parameters(recurse=False)
    }
    return [name for name, _ in network.named_parameters() if name in names and name in convolutions]


def _blend(tuned: Sequence[nn.Parameter], before: Sequence[Tensor], after: Sequence[Tensor], share: float) -> None:
    with torch.no_grad():
        for parameter, old, new in zip(tuned, before, after, strict=True):
            parameter.copy_(torch.lerp(old, new, share))  # old and new are on the CPU


def _choose(
    module: PictureClassifier,
    tuned: Sequence[nn.Parameter],
    before: Sequence[Tensor],
    after: Sequence[Tensor],
    head_logits: NDArray[np.float64],
    data_set: DataSet,
    config: TrainConfig,
) -> float | None:
    """Return the share of the tuned weights with the least loss on the validation pictures; None for the head alone."""
    rows = data_set.rows("val")
    targets = data_set.targets[rows]
    weights = Examples(np.empty((len(rows), 0), np.float32), targets).weights(
        len(data_set.labels), balance=config.data.balance
    )

    def losses(logits: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(-weights * log_softmax(logits, axis=1)[np.arange(len(rows)), targets])

    sizes = {"batch_size": config.trainer.batch_size, "workers": config.trainer.workers}
    results: dict[float, NDArray[np.float64]] = {}
    module.to(choose_device(config.trainer.accelerator))
    for share in SHARES:
        _blend(tuned, before, after, share)
        results[share] = losses(evaluate(torch_predictor(module), data_set, "val", **sizes).logits)
    of_head = losses(head_logits)
    log.info(
        "Validation loss %.3f with the head alone; %s",
        of_head.mean(),
        ", ".join(f"{loss.mean():.3f} with {share:.0%} of the tuned weights" for share, loss in results.items()),
    )
    best = min(results, key=lambda share: float(results[share].mean()))
    chance = ttest_1samp(of_head - results[best], 0.0, alternative="greater").pvalue
    return best if chance < SIGNIFICANCE else None
