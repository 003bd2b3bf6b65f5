"""Transfer learning in stages: features of the frozen network, a head on them, and fine-tuning where time allows."""

import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import torch
from scipy.special import softmax
from sklearn.metrics import f1_score, log_loss
from torch import nn

from animals.config.data import DataConfig
from animals.config.training import ModelConfig
from animals.data.dataset import DataSet
from animals.errors import ConfigError
from animals.training.callbacks import write_metrics
from animals.training.model import architecture_options
from animals.training.transfer.features import classifier_of, pooled_features
from animals.training.transfer.head import Examples, FittedHead, Head, fit_head
from animals.training.weights import load_pretrained

log = logging.getLogger(__name__)

IMAGENET_CLASSES: Final = 1000


def fit_head_on_frozen(
    data: DataConfig, model: ModelConfig, data_set: DataSet, run: Path, *, device: torch.device
) -> nn.Module:
    """Return a pretrained network with a head that is fitted on the features of the pictures.

    Args:
        data: where features are cached, whether labels are balanced, and their ImageNet classes where known.
        model: the network and its weights.
        data_set: the pictures.
        run: the run's folder, which gets `metrics/metrics.csv` with one row.
        device: what computes the features.

    Raises:
        AnimalsError: the weights cannot be read or downloaded.
        ConfigError: the network has no linear head on pooled features.
    """
    started = time.monotonic()
    network = load_pretrained(model, architecture_options(model, data.side)).model.eval()
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
    _report(run, fitted, train, val, seconds=time.monotonic() - started)
    return network


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
        classes += range(int(first), int(last or first) + 1)
    return classes


def _report(run: Path, fitted: FittedHead, train: Examples, val: Examples, *, seconds: float) -> None:
    """Write and log how well the head does."""
    metrics: dict[str, float] = {"epoch": 0, "lr": 0.0, "seconds": seconds}
    for split, examples in (("train", train), ("val", val)):
        logits = fitted.head.logits(examples.features)
        metrics[f"{split}/loss"] = log_loss(examples.targets, softmax(logits, axis=1), labels=range(logits.shape[1]))
        metrics[f"{split}/accuracy"] = float((logits.argmax(1) == examples.targets).mean())
    write_metrics(run, metrics)
    log.info(
        "Head on %d features of the frozen network: val accuracy %.1f %%, macro F1 %.3f, %.0f s",
        train.features.shape[1],
        100 * metrics["val/accuracy"],
        f1_score(val.targets, fitted.head.logits(val.features).argmax(1), average="macro"),
        seconds,
    )
