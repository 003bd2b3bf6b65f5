"""The temperature makes confidence equal to accuracy, and their difference is measured."""

from dataclasses import replace

import numpy as np
import pytest

from animals.inference import probabilities
from animals.training.evaluation.calibration import BINS, BOUNDS, calibrate, fit_temperature, reliability
from animals.training.evaluation.metrics import Evaluation
from animals.training.export.model_card import format_model_card
from tests.training.conftest import Trained

LABELS = 5


def predict(temperature: float, pictures: int = 8000, seed: int = 0) -> Evaluation:
    """Return logits, and targets that are drawn from their probabilities at a temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (pictures, LABELS))
    drawn_from = probabilities(logits, temperature)
    targets = (drawn_from.cumsum(1) > rng.random((pictures, 1))).argmax(1)
    return Evaluation(rows=np.arange(pictures), targets=targets, logits=logits, features={})


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    evaluation = predict(temperature)
    assert fit_temperature(evaluation.logits, evaluation.targets) == pytest.approx(temperature, rel=0.06)


def test_a_few_pictures_that_are_all_right_make_the_model_only_somewhat_surer() -> None:
    logits = np.tile([2.0, 0.0], (5, 1))
    assert 0.3 < fit_temperature(logits, np.zeros(5, np.int64)) < 1


def test_the_temperature_stays_in_its_bounds() -> None:
    wrong = np.tile([1000.0, 0.0], (1000, 1))
    assert fit_temperature(wrong, np.ones(1000, np.int64)) == pytest.approx(BOUNDS[1], rel=1e-3)


def test_calibrating_changes_how_sure_answers_are_and_none_of_them() -> None:
    before = predict(2.0, seed=1)
    after, calibration = calibrate(predict(2.0, pictures=4000), before)
    assert after.temperature == pytest.approx(2.0, rel=0.1)
    np.testing.assert_array_equal(after.predictions, before.predictions)
    np.testing.assert_allclose(after.probabilities, probabilities(before.logits, after.temperature))
    assert calibration.pictures == 4000
    assert calibration.ece_before > 0.1
    assert calibration.ece_after < 0.03


def test_answers_that_are_as_sure_as_they_are_right_have_next_to_no_error() -> None:
    evaluation = predict(1.0, pictures=50_000)
    assert reliability(evaluation.probabilities, evaluation.targets).ece < 0.01


def test_the_error_of_overconfident_answers_is_how_overconfident_they_are() -> None:
    sure = np.tile([0.9, 0.1], (100, 1))
    targets = np.repeat([0, 1], [60, 40])
    assert reliability(sure, targets).ece == pytest.approx(0.3)


def test_the_error_is_the_mean_over_pictures_not_over_bins() -> None:
    sure = np.array([[0.9, 0.1]] * 30 + [[0.6, 0.4]] * 10)
    targets = np.repeat([0, 1, 0, 1], [27, 3, 1, 9])  # 90 % right where 90 % sure, 10 % where 60 % sure
    assert reliability(sure, targets).ece == pytest.approx(0.5 * 10 / 40)


def test_every_picture_is_in_the_bin_of_its_confidence() -> None:
    bins = reliability(np.array([[1.0, 0.0], [0.5, 0.5], [0.95, 0.05]]), np.array([0, 0, 1]))
    assert (bins.pictures[-1], bins.pictures[BINS // 2], bins.pictures.sum()) == (2, 1, 3)
    assert (bins.confidence[-1], bins.accuracy[-1]) == (0.975, 0.5)
    assert np.isnan(bins.accuracy[0])


def test_an_evaluation_without_a_temperature_has_the_probabilities_of_the_logits() -> None:
    evaluation = predict(1.0, pictures=3)
    np.testing.assert_allclose(evaluation.probabilities, probabilities(evaluation.logits, 1.0))
    assert (replace(evaluation, temperature=3.0).probabilities.max(1) < evaluation.probabilities.max(1)).all()


def test_a_run_is_calibrated_on_its_validation_pictures(trained: Trained) -> None:
    card = trained.card
    assert (card.calibration.pictures, card.calibration.bins) == (6, BINS)
    assert card.temperature != 1
    assert f"| Calibration | temperature {card.temperature:.2f}, expected calibration error " in format_model_card(card)
