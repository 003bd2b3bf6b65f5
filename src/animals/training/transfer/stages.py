"""Transfer learning in stages: features of the frozen network, a head on them, and tuning where time allows."""

import logging
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_lightning.callbacks import Callback
from pytorch_lightning.loggers import Logger
from scipy.special import softmax
from sklearn.metrics import f1_score, log_loss
from torch import nn

from animals.config.training import TrainConfig
from animals.data.dataset import DataSet
from animals.errors import ConfigError
from animals.training.budget import Budget
from animals.training.callbacks import write_head_metrics
from animals.training.hardware import choose_device
from animals.training.model import architecture_options
from animals.training.transfer.features import check_head, classifier_of, pooled_features
from animals.training.transfer.head import Examples, FittedHead, Head, fit_head
from animals.training.transfer.tune import SHARES, tune
from animals.training.weights import load_pretrained

log = logging.getLogger(__name__)

IMAGENET_CLASSES: Final = 1000

MIN_TUNING: Final = 10.0
"""Seconds below which tuning is left out."""


@dataclass(frozen=True, slots=True)
class Transferred:
    """A network with a head for the run's labels."""

    network: nn.Module
    head: Head
    logits: NDArray[np.float64] | None
    """Of all pictures, shape (rows of the manifest, labels); None where the network was tuned."""
    backbone: Path | None
    """The frozen network as ONNX, where there is one and only the head is new."""
    tuned: str | None
    """Which weights were tuned."""


def transfer(
    config: TrainConfig,
    data_set: DataSet,
    run: Path,
    budget: Budget,
    *,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
) -> Transferred:
    """Fit a head on the features of a pretrained network, and tune its last stages where time allows.

    Args:
        config: of the run.
        data_set: the pictures.
        run: the run's folder; `metrics/metrics.csv` gets a row for the head and one for each epoch of tuning.
        budget: the time that is left.
        loggers: of the tuning.
        callbacks: of the tuning.

    Raises:
        AnimalsError: the weights cannot be read or downloaded.
        ConfigError: the network has no linear head on pooled features, or the budget is too short for a head.
    """
    started = time.monotonic()
    device = choose_device(config.trainer.accelerator)
    network = load_pretrained(config.model, architecture_options(config.model, config.data.side)).model.eval()
    classifier = classifier_of(network)
    check_head(network, config.data.side)
    start = _start(classifier, data_set.labels, config.data.imagenet)
    frozen = pooled_features(
        network,
        data_set,
        cache_dir=Path(config.data.cache_dir),
        device=device,
        seconds=budget.left_for_training(network, data_set, validations=0),
    )
    targets = data_set.targets
    train, val = (Examples(frozen.features[rows], targets[rows]) for rows in map(data_set.rows, ("train", "val")))
    fitted = fit_head(train, val, len(data_set.labels), balance=config.data.balance, start=start)
    install_head(network, fitted.head)
    _report(run, fitted, train, val, seconds=time.monotonic() - started)
    if (seconds := _seconds_to_tune(config, device, budget, network, data_set)) > MIN_TUNING:
        val_logits = fitted.head.logits(val.features)
        tuned = tune(config, network, val_logits, data_set, run, seconds=seconds, loggers=loggers, callbacks=callbacks)
        if tuned:
            return Transferred(network, fitted.head, None, None, tuned)
    elif config.tune != "never" and budget.limited:
        log.warning("trainer.minutes leaves no time to tune: the head alone is published")
    return Transferred(network, fitted.head, fitted.head.logits(frozen.features), frozen.backbone, None)


def _seconds_to_tune(
    config: TrainConfig, device: torch.device, budget: Budget, network: nn.Module, data_set: DataSet
) -> float:
    """Return how long the network may be tuned; 0 for not at all, `math.inf` for as many epochs as configured."""
    unlimited = config.tune == "auto" and not budget.limited and device.type == "cpu"
    if config.tune == "never" or unlimited:
        return 0.0
    return budget.left_for_training(network.cpu(), data_set, validations=1 + len(SHARES))


def install_head(network: nn.Module, head: Head) -> None:
    """Give a network of timm a classifier with the weights of a head."""
    network.reset_classifier(len(head.bias))  # type: ignore[operator]
    classifier = classifier_of(network)
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(head.weight))
        classifier.bias.copy_(torch.from_numpy(head.bias))
    network.eval()


def _start(classifier: nn.Linear, labels: tuple[str, ...], imagenet: Mapping[str, str]) -> Head | None:
    """Return the head that ImageNet's own classes give, where the description of the data set names them."""
    if not imagenet or classifier.out_features != IMAGENET_CLASSES:
        return None
    if missing := sorted(set(labels) - set(imagenet)):
        raise ConfigError(
            f"data.imagenet names no ImageNet classes for {', '.join(missing)}. Name those of every label, or none."
        )
    weight, bias = (tensor.detach().cpu().numpy() for tensor in (classifier.weight, classifier.bias))
    classes = [parse_classes(label, imagenet[label]) for label in labels]
    return Head(np.stack([weight[rows].mean(0) for rows in classes]), np.array([bias[rows].mean() for rows in classes]))


def parse_classes(label: str, text: str) -> list[int]:
    """Return the ImageNet classes that a text such as "101, 385-386" names.

    Raises:
        ConfigError: the text is of another form, or a class is beyond 999.
    """
    if not re.fullmatch(r"\s*\d{1,3}(-\d{1,3})?(\s*,\s*\d{1,3}(-\d{1,3})?)*\s*", text):
        raise ConfigError(
            f'data.imagenet.{label} is "{text}"; expected ImageNet classes from 0 to 999, as in "101, 385-386".'
        )
    classes: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if int(last or first) < int(first):
            raise ConfigError(f'data.imagenet.{label} is "{text}": {part.strip()} runs backwards.')
        classes += range(int(first), int(last or first) + 1)
    return classes


def _report(run: Path, fitted: FittedHead, train: Examples, val: Examples, *, seconds: float) -> None:
    """Write and log how well the head does."""
    metrics: dict[str, float] = {"lr": 0.0, "seconds": seconds}
    for split, examples in (("train", train), ("val", val)):
        logits = fitted.head.logits(examples.features)
        metrics[f"{split}/loss"] = log_loss(examples.targets, softmax(logits, axis=1), labels=range(logits.shape[1]))
        metrics[f"{split}/accuracy"] = float((logits.argmax(1) == examples.targets).mean())
    write_head_metrics(run, metrics)
    log.info(
        "Head on %d features of the frozen network: val accuracy %.1f %%, macro F1 %.3f, %.0f s",
        train.features.shape[1],
        100 * metrics["val/accuracy"],
        f1_score(val.targets, fitted.head.logits(val.features).argmax(1), average="macro"),
        seconds,
    )
