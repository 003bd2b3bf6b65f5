"""Transfer learning in stages: features of the frozen network, a head on them, and fine-tuning where time allows."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch import nn

from animals.config.training import DataConfig, ModelConfig
from animals.data.load import DataSet
from animals.errors import ConfigError
from animals.records import StartingWeights
from animals.training.callbacks import write_metrics
from animals.training.model import architecture_options
from animals.training.transfer.features import classifier_of, pooled_features
from animals.training.transfer.head import Examples, FittedHead, Head, fit_head
from animals.training.weights import load_pretrained

log = logging.getLogger(__name__)

IMAGENET_CLASSES: Final = 1000


@dataclass(frozen=True, slots=True)
class HeadStage:
    """A network with a head fitted on its frozen features."""

    model: nn.Module
    origin: StartingWeights
    fitted: FittedHead
    val_losses: NDArray[np.float64]
    """Cross-entropy of each validation picture, shape (pictures,)."""


def fit_head_on_frozen(
    data: DataConfig, model: ModelConfig, data_set: DataSet, run: Path, *, device: torch.device
) -> HeadStage:
    """Compute the features of the pictures, fit a head on them, and put it on the network.

    Args:
        data: where features are cached, whether labels are balanced, and their ImageNet classes where known.
        model: the network and its weights.
        data_set: the pictures.
        run: the run's folder, which gets `metrics/metrics.csv` with one row.
        device: what computes the features.

    Raises:
        WeightsUnavailable: the weights cannot be had.
        ConfigError: the network has no linear head on pooled features.
    """
    started = time.monotonic()
    pretrained = load_pretrained(model, architecture_options(model, data.side))
    network = pretrained.model.eval()
    classifier = classifier_of(network)
    start = _start(classifier, data_set.labels, data.imagenet)
    rows = {split: data_set.rows(split) for split in ("train", "val")}
    features = pooled_features(
        network, data_set, np.concatenate(list(rows.values())), cache_dir=Path(data.cache_dir), device=device
    )
    parts = np.split(features, [len(rows["train"])])
    train, val = (
        Examples(part, data_set.targets[split_rows]) for part, split_rows in zip(parts, rows.values(), strict=True)
    )
    fitted = fit_head(train, val, len(data_set.labels), balance=data.balance, start=start)
    install_head(network, fitted.head)
    losses = cross_entropy(fitted.head.logits(val.features), val.targets)
    _report(run, fitted, train, val, losses, seconds=time.monotonic() - started)
    return HeadStage(network, pretrained.origin, fitted, losses)


def install_head(network: nn.Module, head: Head) -> None:
    """Give a network of timm a classifier with the weights of a head."""
    network.reset_classifier(len(head.bias))  # type: ignore[operator]
    classifier = classifier_of(network)
    with torch.no_grad():
        classifier.weight.copy_(torch.from_numpy(head.weight))
        classifier.bias.copy_(torch.from_numpy(head.bias))
    network.eval()


def cross_entropy(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the loss of each picture, shape (pictures,)."""
    shifted = logits - logits.max(1, keepdims=True)
    return np.asarray(np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(targets)), targets])


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
    classes: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal() or int(last or first) >= IMAGENET_CLASSES:
            raise ConfigError(f'data.imagenet.{label} is "{text}"; expected classes from 0 to 999, as in "101, 385-386".')
        classes += range(int(first), int(last or first) + 1)
    return classes


def _report(
    run: Path, fitted: FittedHead, train: Examples, val: Examples, losses: NDArray[np.float64], *, seconds: float
) -> None:
    predictions = fitted.head.logits(val.features).argmax(1)
    accuracy = float((predictions == val.targets).mean())
    logits = fitted.head.logits(train.features)
    write_metrics(
        run,
        {
            "epoch": 0,
            "train/loss": float(cross_entropy(logits, train.targets).mean()),
            "train/accuracy": float((logits.argmax(1) == train.targets).mean()),
            "val/loss": float(losses.mean()),
            "val/accuracy": accuracy,
            "lr": 0.0,
            "seconds": seconds,
        },
    )
    log.info(
        "Head on %d features of the frozen network: val accuracy %.1f %%, macro F1 %.3f, %.0f s",
        train.features.shape[1],
        100 * accuracy,
        f1_score(val.targets, predictions, average="macro"),
        seconds,
    )
