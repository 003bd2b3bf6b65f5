"""A model's predictions for a split, and the metrics of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import classification_report, log_loss

from animals import inference
from animals.data.dataset import DataSet
from animals.features import picture_features
from animals.records import LabelMetrics, Metrics, probability_columns, projection_columns
from animals.registry import REFERENCE
from animals.training.evaluation.predictors import Predict, onnx_predictor_of_all
from animals.training.loader import evaluation_loader


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's predictions for one split, in the manifest's order."""

    rows: NDArray[np.int64]
    """Indices into the manifest, shape (pictures,)."""
    targets: NDArray[np.int64]
    """Indices of the correct labels, shape (pictures,)."""
    logits: NDArray[np.float64]
    """Shape (pictures, labels)."""
    features: dict[str, NDArray[np.float32]]
    """Features of the pictures, each of shape (pictures,)."""
    temperature: float = 1.0
    """Divides the logits before they become probabilities."""

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Indices of the most probable labels, shape (pictures,)."""
        return np.asarray(self.logits.argmax(1))

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Which predictions are correct, shape (pictures,)."""
        return np.asarray(self.predictions == self.targets)

    @property
    def probabilities(self) -> NDArray[np.float64]:
        """Probabilities of the labels, shape (pictures, labels)."""
        return inference.probabilities(self.logits, self.temperature)

    def worst_mistakes(self, most: int) -> NDArray[np.int64]:
        """Return the indices of up to `most` wrong predictions, those of the highest confidence first."""
        wrong = np.flatnonzero(~self.correct)
        surest = np.argsort(-self.probabilities[wrong].max(1), kind="stable")
        return np.asarray(wrong[surest[:most]])


def evaluate(predict: Predict, data_set: DataSet, split: str, *, batch_size: int, workers: int) -> Evaluation:
    """Predict every picture of a split.

    Args:
        predict: the model.
        data_set: the pictures.
        split: `val` or `test`.
        batch_size: pictures at once.
        workers: processes that decode when nothing is cached.
    """
    logits, features = [], []
    for pixels, _ in evaluation_loader(data_set, split, batch_size=batch_size, workers=workers):
        logits.append(predict(pixels.numpy()))
        features.append(picture_features(pixels.numpy()))
    return _evaluation(data_set, split, np.concatenate(logits), features)


def evaluate_logits(
    logits: NDArray[np.float64], data_set: DataSet, split: str, *, batch_size: int, workers: int
) -> Evaluation:
    """Return the evaluation of logits that are known, shape (rows of the manifest, labels); else as `evaluate`."""
    batches = evaluation_loader(data_set, split, batch_size=batch_size, workers=workers)
    features = [picture_features(pixels.numpy()) for pixels, _ in batches]
    return _evaluation(data_set, split, logits[data_set.rows(split)], features)


def _evaluation(
    data_set: DataSet, split: str, logits: NDArray[np.float64], features: Sequence[dict[str, NDArray[np.float32]]]
) -> Evaluation:
    rows = data_set.rows(split)
    return Evaluation(
        rows=rows,
        targets=data_set.targets[rows],
        logits=logits,
        features={name: np.concatenate([part[name] for part in features]) for name in features[0]},
    )


def measure(evaluation: Evaluation, labels: Sequence[str]) -> Metrics:
    """Compute the metrics of a card."""
    numbers = range(len(labels))
    report = classification_report(
        evaluation.targets,
        evaluation.predictions,
        labels=numbers,
        target_names=labels,
        output_dict=True,
        zero_division=0.0,
    )
    return Metrics(
        accuracy=float(evaluation.correct.mean()),
        f1_macro=report["macro avg"]["f1-score"],
        f1_weighted=report["weighted avg"]["f1-score"],
        loss=log_loss(evaluation.targets, evaluation.probabilities, labels=numbers),
        pictures=len(evaluation.rows),
        per_label={label: _label_metrics(report[label]) for label in labels},
    )


def _label_metrics(row: dict[str, float]) -> LabelMetrics:
    return LabelMetrics(
        precision=row["precision"], recall=row["recall"], f1=row["f1-score"], pictures=int(row["support"])
    )


def evaluate_served(
    evaluation: Evaluation, model: Path, data_set: DataSet, split: str, *, batch_size: int, workers: int
) -> tuple[Evaluation, NDArray[np.float32]]:
    """Predict the same pictures with the exported model that will serve.

    Returns:
        The evaluation with the logits of that model, and the projections, shape (pictures, dimensions), with 0
        dimensions where the model has no such output.
    """
    predict = onnx_predictor_of_all(model, data_set.spec)
    batches = evaluation_loader(data_set, split, batch_size=batch_size, workers=workers)
    logits, projections = zip(*(predict(pixels.numpy()) for pixels, _ in batches), strict=True)
    return replace(evaluation, logits=np.concatenate(logits)), np.concatenate(projections)


def write_reference(evaluation: Evaluation, data_set: DataSet, served: Path, *, batch_size: int, workers: int) -> None:
    """Write the table that monitoring compares with, beside the model file that will serve, from its predictions."""
    served_evaluation, projections = evaluate_served(
        evaluation, served, data_set, "test", batch_size=batch_size, workers=workers
    )
    reference_table(served_evaluation, data_set, projections).to_parquet(served.with_name(REFERENCE), index=False)


def reference_table(evaluation: Evaluation, data_set: DataSet, projections: NDArray[np.float32]) -> pd.DataFrame:
    """Return the table that monitoring compares with, one row for each picture.

    Columns: `picture`, `target`, and those of `LoggedPrediction` on the picture and the prediction: `prediction`,
    `confidence`, `p_<label>` for each label, the picture's features, `width`, `height`, and `projection_<dimension>`.
    """
    labels = np.array(data_set.labels)
    probabilities = evaluation.probabilities
    width, height = data_set.sizes[evaluation.rows].T
    return pd.DataFrame(
        {
            "picture": [data_set.manifest[row].name for row in evaluation.rows],
            "target": labels[evaluation.targets],
            "prediction": labels[probabilities.argmax(1)],
            "confidence": probabilities.max(1),
            **probability_columns(dict(zip(data_set.labels, probabilities.T, strict=True))),
            **evaluation.features,
            "width": width,
            "height": height,
            **projection_columns(projections.T),
        }
    )
