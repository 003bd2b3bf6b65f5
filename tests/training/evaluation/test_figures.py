"""Figures show what was measured."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from animals.data.dataset import DataSet
from animals.training.evaluation.figures import (
    MISTAKES,
    draw_curves,
    draw_evaluation,
    draw_robustness,
    plot_confusion,
    plot_curves,
    plot_mistakes,
    plot_reliability,
    plot_robustness,
)
from animals.training.evaluation.metrics import Evaluation
from tests.training.conftest import Trained


def test_each_figure_is_a_file_of_its_own(evaluation: Evaluation, data_set: DataSet, tmp_path: Path) -> None:
    paths = draw_evaluation(tmp_path / "new" / "figures", evaluation, data_set)
    assert [path.name for path in paths] == ["confusion_matrix.png", "reliability.png", "worst_mistakes.png"]
    for path in paths:
        with Image.open(path) as image:
            assert min(image.size) > 300


def test_without_mistakes_there_is_no_figure_of_them(evaluation: Evaluation, data_set: DataSet, tmp_path: Path) -> None:
    evaluation.logits[np.arange(len(evaluation.rows)), evaluation.targets] = 9
    assert [path.stem for path in draw_evaluation(tmp_path, evaluation, data_set)] == [
        "confusion_matrix",
        "reliability",
    ]


def test_the_confusion_matrix_leaves_out_what_did_not_happen(evaluation: Evaluation, data_set: DataSet) -> None:
    (axes,) = plot_confusion(evaluation, data_set.labels).axes
    assert [text.get_text() for text in axes.texts if text.get_visible()] == ["100%"] * 3


def test_a_label_is_no_formula(evaluation: Evaluation, tmp_path: Path) -> None:
    figure = plot_confusion(evaluation, ["$\\frac$", "blue", "red"])
    figure.savefig(tmp_path / "x.png")
    assert figure.axes[0].get_xticklabels()[0].get_text() == r"\$\frac\$"


def test_the_worst_mistakes_come_in_order_of_confidence_with_both_labels(
    evaluation: Evaluation, data_set: DataSet
) -> None:
    evaluation.logits[:12, 0] = -9  # so that fewer are wrong for sure
    figure = plot_mistakes(evaluation, data_set)
    texts = [axes.texts[0].get_text() for axes in figure.axes if axes.texts]
    wrong = np.flatnonzero(~evaluation.correct)
    assert len(texts) == min(MISTAKES, len(wrong))
    surest = data_set.manifest[evaluation.rows[wrong[evaluation.probabilities[wrong].max(1).argmax()]]]
    assert texts[0].startswith(f"is: {surest.label}\npredicted: blue, ")
    assert all(text.splitlines()[0] != "is: blue" or "predicted: blue" not in text for text in texts)


def test_no_more_mistakes_are_shown_than_fit(evaluation: Evaluation, data_set: DataSet) -> None:
    evaluation.targets[:] = 1
    figure = plot_mistakes(evaluation, data_set)
    assert sum(bool(axes.texts) for axes in figure.axes) == MISTAKES
    assert f"{len(evaluation.rows)} wrong predictions" in figure.get_suptitle()


def test_the_reliability_diagram_says_what_the_temperature_changes(evaluation: Evaluation) -> None:
    legend = plot_reliability(evaluation).axes[0].get_legend()
    assert legend is not None
    before, after = (text.get_text() for text in legend.get_texts())
    assert before.startswith("before: temperature 1.00, error ")
    assert after.startswith("after: temperature 2.00, error ")
    assert before.rsplit(" ", 1) != after.rsplit(" ", 1)


def test_curves_are_drawn_epoch_by_epoch_and_the_best_is_marked() -> None:
    metrics = pd.DataFrame(
        {
            "epoch": [0, 0, 1, 1, 2, 2],
            "val/loss": [3, None, 1, None, 2, None],
            "train/loss": [None, 4, None, 3, None, 2],
            "val/accuracy": [0.1, None, 0.9, None, 0.5, None],
            "train/accuracy": [None, 0.1, None, 0.2, None, 0.3],
        }
    )
    loss, accuracy = plot_curves(metrics).axes
    train, val, best = loss.lines
    np.testing.assert_array_equal(train.get_xydata(), [(1, 4), (2, 3), (3, 2)])
    np.testing.assert_array_equal(val.get_xydata(), [(1, 3), (2, 1), (3, 2)])
    assert list(np.asarray(best.get_xdata())) == [2, 2]
    np.testing.assert_array_equal(accuracy.lines[1].get_ydata(), [0.1, 0.9, 0.5])


def test_a_runs_metrics_can_be_drawn_again(trained: Trained, tmp_path: Path) -> None:
    path = draw_curves(tmp_path / "new", trained.run / "metrics" / "metrics.csv")
    assert path == tmp_path / "new" / "curves.png"
    assert path.stat().st_size > 5000


def test_a_run_keeps_its_figures(trained: Trained) -> None:
    names = {path.name for path in (trained.run / "figures").iterdir()}
    assert {"curves.png", "confusion_matrix.png", "reliability.png"} <= names


def test_the_corruption_that_harms_most_is_drawn_last(tmp_path: Path) -> None:
    accuracy = {"fog": (0.5, 0.2), "jpeg": (0.9, 0.8)}
    (axes,) = plot_robustness(0.95, accuracy).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["jpeg", "fog"]
    assert [text.get_text() for text in axes.texts] == ["95%", "90%", "80%", "95%", "50%", "20%"]
    assert draw_robustness(tmp_path / "new", 0.95, accuracy).is_file()
