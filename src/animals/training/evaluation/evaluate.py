"""The evaluation of a published version: all measurements, in one report."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from animals.storage import Storage
from animals.training.evaluation.calibration import reliability
from animals.training.evaluation.compare import Baseline, compare, find_baseline
from animals.training.evaluation.corruptions import measure_robustness
from animals.training.evaluation.figures import draw_evaluation, draw_robustness
from animals.training.evaluation.invariance import measure_changes
from animals.training.evaluation.metrics import Evaluation, measure
from animals.training.evaluation.model_under_test import (
    ModelUnderTest,
    find_card,
    load_model_under_test,
    predict_test_split,
)
from animals.training.evaluation.records import EvaluationReport
from animals.training.evaluation.report import markdown, summary
from animals.training.evaluation.slices import measure_slices
from animals.training.evaluation.statistics import share_of, spread_sample

REPORTS: Final = Path("reports", "versions")


def evaluate_version(storage: Storage, version: str, against: str | None = None, *, pictures: int = 1000) -> str:
    """Evaluate one version, write reports/versions/VERSION/, and return a summary.

    Args:
        storage: the bucket.
        version: which, or `current`.
        against: the version to compare with; None: the one that serves.
        pictures: test pictures, at most, that are corrupted.

    Raises:
        NoModel: the bucket does not have the version.
        BrokenModel: a version's files cannot be used.
        DataError: the pictures are missing, or are not those that the version was made with.
    """
    card = find_card(storage, version)
    baseline = find_baseline(storage, card, against)
    model = load_model_under_test(storage, card)
    evaluation = predict_test_split(model)
    report = measure_all(model, evaluation, baseline, pictures=pictures)
    folder = REPORTS / card.version
    figures = [
        *draw_evaluation(folder, evaluation, model.data_set),
        draw_robustness(folder, report.robustness.clean, report.robustness.accuracy),
    ]
    (folder / "report.md").write_text(markdown(report, figures), encoding="utf-8")
    (folder / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return summary(report, folder)


def measure_all(
    model: ModelUnderTest, evaluation: Evaluation, baseline: Baseline | str, *, pictures: int
) -> EvaluationReport:
    """Measure everything that the report has.

    Args:
        model: the version.
        evaluation: its predictions for the test pictures.
        baseline: the version to compare with, or the reason why there is none.
        pictures: test pictures, at most, that are corrupted and changed.
    """
    card, correct = model.card, evaluation.correct
    sample = spread_sample(evaluation.targets, pictures)
    rows = evaluation.rows[sample]
    pixels = model.data_set.read_pixels(rows)
    uncalibrated = replace(evaluation, temperature=1.0)
    return EvaluationReport(
        version=card.version,
        manifest_sha256=card.split.manifest_sha256,
        accuracy=share_of(correct),
        card_accuracy=card.metrics.accuracy,
        metrics=measure(evaluation, card.labels),
        temperature=card.temperature,
        ece_before=reliability(uncalibrated.probabilities, evaluation.targets).ece,
        ece_after=reliability(evaluation.probabilities, evaluation.targets).ece,
        robustness=measure_robustness(model.predict, pixels, evaluation.targets[sample], seeds=rows),
        slices=measure_slices(evaluation, model.data_set),
        changed=measure_changes(model.predict, pixels),
        comparison=None if isinstance(baseline, str) else compare(correct, baseline),
        not_compared=baseline if isinstance(baseline, str) else "",
    )
