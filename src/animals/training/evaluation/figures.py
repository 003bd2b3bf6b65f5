"""Figures of a run and of an evaluation, as PNG files."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import ImageOps
from sklearn.metrics import ConfusionMatrixDisplay

from animals.data.dataset import DataSet
from animals.preprocess import open_picture
from animals.training.evaluation.calibration import BINS, Reliability, reliability
from animals.training.evaluation.metrics import Evaluation

MISTAKES: Final = 15
"""Wrong predictions, at most, that are shown."""

_COLUMNS: Final = 5
_THUMBNAIL: Final = (160, 120)
_BLUE: Final = "#1f5fa8"
_ORANGE: Final = "#d9741a"
_GREY: Final = "#8a8a8a"


def draw_evaluation(folder: Path, evaluation: Evaluation, data_set: DataSet) -> list[Path]:
    """Draw a model's predictions.

    Returns:
        The files: confusion matrix, reliability diagram, and the worst mistakes where there are any.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figures = {
        "confusion_matrix": plot_confusion(evaluation, data_set.labels),
        "reliability": plot_reliability(evaluation),
    }
    if not evaluation.correct.all():
        figures["worst_mistakes"] = plot_mistakes(evaluation, data_set)
    return [_save(figure, folder / f"{name}.png") for name, figure in figures.items()]


def draw_curves(folder: Path, metrics: Path) -> Path:
    """Draw the epochs of a `metrics.csv` into the folder's `curves.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    return _save(plot_curves(pd.read_csv(metrics)), folder / "curves.png")


def draw_robustness(folder: Path, clean: float, accuracy: Mapping[str, Sequence[float]]) -> Path:
    """Draw the accuracy under each corruption into the folder's `robustness.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    return _save(plot_robustness(clean, accuracy), folder / "robustness.png")


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=100)
    return path


def _plain(axes: Axes) -> None:
    """Draw axes without a box and with a grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    axes.set_axisbelow(True)


def _as_text(text: str) -> str:
    """Escape text, so that nothing in it is a formula."""
    return text.replace("$", r"\$")


def plot_confusion(evaluation: Evaluation, labels: Sequence[str]) -> Figure:
    """Plot the confusion matrix: rows are the correct labels, cells are shares of their pictures."""
    size = 3 + 0.5 * len(labels)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    display = ConfusionMatrixDisplay.from_predictions(
        evaluation.targets,
        evaluation.predictions,
        labels=range(len(labels)),
        display_labels=[_as_text(label) for label in labels],
        normalize="true",
        values_format=".0%",
        xticks_rotation="vertical",
        cmap="Blues",
        colorbar=False,
        ax=figure.subplots(),
    )
    for text in display.text_.flat:  # so that the mistakes stand out
        text.set_visible(text.get_text() != "0%")
    return figure


def plot_curves(metrics: pd.DataFrame) -> Figure:
    """Plot loss and accuracy of both splits by epoch.

    Args:
        metrics: columns `epoch`, `train/loss`, `val/loss`, `train/accuracy` and `val/accuracy`; a row may have some.
    """
    epochs = metrics.groupby("epoch").first()  # the first value that is not missing
    best = epochs.index[int(np.nanargmin(epochs["val/loss"]))]
    figure = Figure(figsize=(10, 4), layout="constrained")
    for axes, quantity in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for split, color in (("train", _GREY), ("val", _BLUE)):
            values = epochs[f"{split}/{quantity}"]
            axes.plot(values.index + 1, values, color=color, marker="o", markersize=4, label=split)
        axes.axvline(best + 1, color=_ORANGE, linestyle=":", label="best epoch")
        axes.set(xlabel="epoch", title=quantity)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _plain(axes)
    axes.set_ylim(0, 1)
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.legend()
    note = "train: on augmented pictures, while the weights change; val: at the end of each epoch"
    figure.supxlabel(note, fontsize="small", color=_GREY)
    return figure


def plot_reliability(evaluation: Evaluation) -> Figure:
    """Plot accuracy and number of predictions by confidence, without and with the temperature."""
    figure = Figure(figsize=(6, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    above.plot((0, 1), (0, 1), color=_GREY, linestyle="--", linewidth=1)
    for name, temperature, color in (("before", 1.0, _ORANGE), ("after", evaluation.temperature, _BLUE)):
        bins = reliability(replace(evaluation, temperature=temperature).probabilities, evaluation.targets)
        label = f"{name}: temperature {temperature:.2f}, error {bins.ece:.1%}"
        _plot_bins(above, below, bins, color=color, label=label)
    above.set(ylabel="accuracy", ylim=(0, 1.05), title=f"Reliability on {len(evaluation.rows)} pictures")
    above.yaxis.set_major_formatter("{x:.0%}")
    above.legend(loc="lower right")
    below.set(xlabel="confidence", ylabel="pictures", xlim=(0, 1.02))
    below.xaxis.set_major_formatter("{x:.0%}")
    for axes in (above, below):
        _plain(axes)
    return figure


def _plot_bins(above: Axes, below: Axes, bins: Reliability, *, color: str, label: str) -> None:
    filled = bins.pictures > 0
    confidence, accuracy = bins.confidence[filled], bins.accuracy[filled]
    area = 15 + 600 * bins.pictures[filled] / bins.pictures.sum()  # the size of a dot grows with its pictures
    above.scatter(confidence, accuracy, area, color=color, alpha=0.6, linewidth=0)
    above.plot([], [], color=color, marker="o", linestyle="", label=label)
    below.stairs(bins.pictures, np.linspace(0, 1, BINS + 1), color=color, fill=True, alpha=0.35)


def plot_mistakes(evaluation: Evaluation, data_set: DataSet) -> Figure:
    """Plot the wrong predictions of the highest confidence: each picture with its correct and its predicted label."""
    confidence, worst = evaluation.probabilities.max(1), evaluation.worst_mistakes(MISTAKES)
    rows = math.ceil(len(worst) / _COLUMNS)
    figure = Figure(figsize=(2.2 * _COLUMNS, 2.3 * rows + 0.4), layout="constrained")
    figure.suptitle(f"The {len(worst)} of {(~evaluation.correct).sum()} wrong predictions with the highest confidence")
    cells = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for axes in cells:
        axes.set_axis_off()
    for axes, index in zip(cells, worst, strict=False):
        row = data_set.manifest[evaluation.rows[index]]
        axes.imshow(ImageOps.pad(open_picture(data_set.root / row.name), _THUMBNAIL, color="white"))
        predicted = f"{data_set.labels[evaluation.predictions[index]]}, {confidence[index]:.0%}"
        text = _as_text(f"is: {row.label}\npredicted: {predicted}")
        axes.text(0.5, -0.03, text, transform=axes.transAxes, ha="center", va="top")
    return figure


def plot_robustness(clean: float, accuracy: Mapping[str, Sequence[float]]) -> Figure:
    """Plot the accuracy by corruption and severity, the most harmful corruptions last.

    Args:
        clean: accuracy on the same pictures as they are.
        accuracy: for each corruption, from the mildest severity to the worst.
    """
    names = sorted(accuracy, key=lambda name: -sum(accuracy[name]))
    table = np.array([[clean, *accuracy[name]] for name in names])
    figure = Figure(figsize=(6.5, 1.6 + 0.4 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(table):
        axes.text(column, row, f"{share:.0%}", ha="center", va="center", color="white" if share > 0.6 else "black")
    axes.set_xticks(range(table.shape[1]), ["none", *map(str, range(1, table.shape[1]))])
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="severity", title="Accuracy on corrupted pictures")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure
