"""What a trained model does on pictures that it has not seen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import ConfusionMatrixDisplay, classification_report, log_loss
from torch import nn

from animals.data.load import DataSet
from animals.features import picture_features
from animals.records import LabelMetrics, Metrics
from animals.training.loader import make_loader


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's answers on one split, in the manifest's order."""

    rows: NDArray[np.int64]
    """Places in the manifest, shape (pictures,)."""
    targets: NDArray[np.int64]
    """Shape (pictures,)."""
    logits: NDArray[np.float64]
    """Shape (pictures, labels)."""
    features: dict[str, NDArray[np.float32]]
    """Each of shape (pictures,)."""

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Softmax of the logits."""
        return softmax(self.logits)


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits to probabilities along the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float64] = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return probabilities


@torch.inference_mode()
def evaluate(module: nn.Module, data_set: DataSet, split: str, *, batch_size: int, workers: int) -> Evaluation:
    """Ask the model about every picture of a split, in full precision.

    Args:
        module: pixels of shape (pictures, side, side, 3) -> logits of shape (pictures, labels).
        data_set: the pictures.
        split: `val` or `test`.
        batch_size: pictures at once.
        workers: processes that decode when nothing is cached.
    """
    module.eval()
    device = next(module.parameters()).device
    logits, features = [], []
    for pixels, _ in make_loader(data_set, split, batch_size=batch_size, workers=workers):
        logits.append(module(pixels.to(device)).float().cpu().numpy())
        features.append(picture_features(pixels.numpy()))
    rows = data_set.rows(split)
    return Evaluation(
        rows=rows,
        targets=data_set.targets[rows],
        logits=np.concatenate(logits).astype(np.float64),
        features={name: np.concatenate([part[name] for part in features]) for name in features[0]},
    )


def measure(evaluation: Evaluation, labels: Sequence[str]) -> Metrics:
    """The figures that a card carries."""
    numbers = range(len(labels))
    predictions = evaluation.logits.argmax(1)
    report = classification_report(
        evaluation.targets, predictions, labels=numbers, target_names=labels, output_dict=True, zero_division=0.0
    )
    return Metrics(
        accuracy=float((predictions == evaluation.targets).mean()),
        f1_macro=report["macro avg"]["f1-score"],
        f1_weighted=report["weighted avg"]["f1-score"],
        loss=log_loss(evaluation.targets, evaluation.probabilities, labels=numbers),
        pictures=len(predictions),
        per_label={label: _label_metrics(report[label]) for label in labels},
    )


def _label_metrics(row: dict[str, float]) -> LabelMetrics:
    return LabelMetrics(
        precision=row["precision"], recall=row["recall"], f1=row["f1-score"], pictures=int(row["support"])
    )


def reference_table(evaluation: Evaluation, data_set: DataSet) -> pd.DataFrame:
    """What monitoring compares with: one row a picture.

    Columns: `picture`, `target`, `prediction`, `confidence`, `p_<label>` for each label, and the picture's features.
    """
    labels = np.array(data_set.labels)
    probabilities = evaluation.probabilities
    answers = {
        "picture": [data_set.manifest[row].name for row in evaluation.rows],
        "target": labels[evaluation.targets],
        "prediction": labels[probabilities.argmax(1)],
        "confidence": probabilities.max(1),
    }
    per_label = {f"p_{label}": probabilities[:, place] for place, label in enumerate(labels)}
    return pd.DataFrame({**answers, **per_label, **evaluation.features})


def plot_confusion(evaluation: Evaluation, labels: Sequence[str], path: Path) -> None:
    """Draw which label was taken for which: rows are the truth, in shares of their pictures."""
    size = 3 + 0.5 * len(labels)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(
        evaluation.targets,
        evaluation.logits.argmax(1),
        labels=range(len(labels)),
        display_labels=labels,
        normalize="true",
        values_format=".0%",
        xticks_rotation="vertical",
        cmap="Blues",
        ax=figure.subplots(),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
