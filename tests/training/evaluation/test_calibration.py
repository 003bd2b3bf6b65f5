"""Confidence is brought to what it is worth, and what it is worth is measured."""

from dataclasses import replace

import numpy as np
import pytest

from animals.inference import probabilities
from animals.training.evaluation.calibration import BINS, BOUNDS, calibrate, fit_temperature, reliability
from animals.training.evaluation.metrics import Evaluation
from animals.training.export.model_card import card_for_people
from tests.training.conftest import Trained

LABELS = 5


def answers(temperature: float, pictures: int = 8000, seed: int = 0) -> Evaluation:
    """Logits whose probabilities are true at a temperature: the targets are drawn from them."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (pictures, LABELS))
    chances = probabilities(logits, temperature)
    targets = (chances.cumsum(1) > rng.random((pictures, 1))).argmax(1)
    return Evaluation(rows=np.arange(pictures), targets=targets, logits=logits, features={})


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_again(temperature: float) -> None:
    found = answers(temperature)
    assert fit_temperature(found.logits, found.targets) == pytest.approx(temperature, rel=0.06)


def test_a_few_pictures_that_are_all_right_make_the_model_only_somewhat_surer() -> None:
    logits = np.tile([2.0, 0.0], (5, 1))
    assert 0.3 < fit_temperature(logits, np.zeros(5, np.int64)) < 1


def test_the_temperature_stays_in_its_bounds() -> None:
    wrong = np.tile([1000.0, 0.0], (1000, 1))
    assert fit_temperature(wrong, np.ones(1000, np.int64)) == pytest.approx(BOUNDS[1], rel=1e-3)


def test_calibrating_changes_how_sure_answers_are_and_none_of_them() -> None:
    before = answers(2.0, seed=1)
    after, calibration = calibrate(answers(2.0, pictures=4000), before)
    assert after.temperature == pytest.approx(2.0, rel=0.1)
    np.testing.assert_array_equal(after.predictions, before.predictions)
    np.testing.assert_allclose(after.probabilities, probabilities(before.logits, after.temperature))
    assert calibration.pictures == 4000
    assert calibration.ece_before > 0.1
    assert calibration.ece_after < 0.03


def test_answers_that_are_as_sure_as_they_are_right_have_next_to_no_error() -> None:
    found = answers(1.0, pictures=50_000)
    assert reliability(found.probabilities, found.targets).ece < 0.01


def test_the_error_of_overconfident_answers_is_how_overconfident_they_are() -> None:
    sure = np.tile([0.9, 0.1], (100, 1))
    targets = np.repeat([0, 1], [60, 40])
    assert reliability(sure, targets).ece == pytest.approx(0.3)


def test_the_error_is_the_mean_over_pictures_not_over_bins() -> None:
    sure = np.array([[0.9, 0.1]] * 30 + [[0.6, 0.4]] * 10)
    targets = np.repeat([0, 1, 0, 1], [27, 3, 1, 9])  # 90 % right where 90 % sure, 10 % where 60 % sure
    assert reliability(sure, targets).ece == pytest.approx(0.5 * 10 / 40)


def test_every_picture_is_in_the_bin_of_its_confidence() -> None:
    found = reliability(np.array([[1.0, 0.0], [0.5, 0.5], [0.95, 0.05]]), np.array([0, 0, 1]))
    assert (found.pictures[-1], found.pictures[BINS // 2], found.pictures.sum()) == (2, 1, 3)
    assert (found.confidence[-1], found.accuracy[-1]) == (0.975, 0.5)
    assert np.isnan(found.accuracy[0])


def test_an_evaluation_without_a_temperature_has_the_probabilities_of_the_logits() -> None:
    found = answers(1.0, pictures=3)
    np.testing.assert_allclose(found.probabilities, probabilities(found.logits, 1.0))
    assert (replace(found, temperature=3.0).probabilities.max(1) < found.probabilities.max(1)).all()


def test_a_run_is_calibrated_on_its_validation_pictures(trained: Trained) -> None:
    card = trained.card
    assert card.calibration is not None
    assert (card.calibration.pictures, card.calibration.bins) == (6, BINS)
    assert card.temperature != 1
    assert f"| Calibration | temperature {card.temperature:.2f}, expected calibration error " in card_for_people(card)


def test_the_card_for_people_says_when_there_is_no_calibration(trained: Trained) -> None:
    assert "| Calibration | none |" in card_for_people(trained.card.model_copy(update={"calibration": None}))
