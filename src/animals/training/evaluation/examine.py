"""Examine a version: all that is measured, in one record."""

from dataclasses import replace

from animals.training.evaluation.calibration import reliability
from animals.training.evaluation.compare import Rival, compare
from animals.training.evaluation.invariance import measure_changes
from animals.training.evaluation.metrics import Evaluation, evaluate, measure
from animals.training.evaluation.model_under_test import Subject
from animals.training.evaluation.predictors import BATCH
from animals.training.evaluation.records import Proof
from animals.training.evaluation.robustness import measure_robustness
from animals.training.evaluation.slices import measure_slices
from animals.training.evaluation.statistics import share_of, spread_sample


def answer_all(subject: Subject) -> Evaluation:
    """What the version answers to its test pictures."""
    evaluation = evaluate(subject.ask, subject.data_set, "test", batch_size=BATCH, workers=-1)
    return replace(evaluation, temperature=subject.card.temperature)


def prove(subject: Subject, evaluation: Evaluation, rival: Rival | str, *, most: int) -> Proof:
    """Measure everything.

    Args:
        subject: the version.
        evaluation: its answers to the test pictures.
        rival: the version to compare with, or why there is none.
        most: test pictures, at most, that are spoiled and changed.
    """
    card, right = subject.card, evaluation.right
    sample = spread_sample(evaluation.targets, most)
    rows = evaluation.rows[sample]
    pixels = subject.data_set.read_pixels(rows)
    plain = replace(evaluation, temperature=1.0)
    return Proof(
        version=card.version,
        manifest_sha256=card.split.manifest_sha256,
        accuracy=share_of(right),
        card_accuracy=card.metrics.accuracy,
        metrics=measure(evaluation, card.labels),
        temperature=card.temperature,
        ece_before=reliability(plain.probabilities, plain.targets).ece,
        ece_after=reliability(evaluation.probabilities, evaluation.targets).ece,
        robustness=measure_robustness(subject.ask, pixels, evaluation.targets[sample], seeds=rows),
        slices=measure_slices(evaluation, subject.data_set),
        changed=measure_changes(subject.ask, pixels),
        comparison=None if isinstance(rival, str) else compare(right, rival),
        not_compared=rival if isinstance(rival, str) else "",
    )
