"""Logits become probabilities."""

import math

import numpy as np
import pytest

from animals.inference import probabilities


def test_probabilities_sum_to_one_and_keep_the_order() -> None:
    found = probabilities(np.array([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]], np.float32), 1.0)
    np.testing.assert_allclose(found.sum(1), 1)
    assert found[0].argsort().tolist() == [0, 2, 1]
    np.testing.assert_allclose(found[1], 1 / 3)


def test_a_step_of_one_is_a_factor_of_e() -> None:
    found = probabilities(np.array([1.0, 0.0]), 1.0)
    assert found[0] / found[1] == pytest.approx(np.e)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_a_step_of_one_temperature_is_a_factor_of_e(temperature: float) -> None:
    found = probabilities(np.array([temperature, 0.0]), temperature)
    assert found[0] / found[1] == pytest.approx(np.e)


@pytest.mark.parametrize("logit", [1e4, -1e4, 3e38])
def test_huge_logits_do_not_overflow(logit: float) -> None:
    np.testing.assert_allclose(probabilities(np.array([logit, 0.0], np.float32), 0.1).max(), 1)


def test_small_probabilities_are_not_lost() -> None:
    assert probabilities(np.array([100.0, 0.0], np.float32), 1.0)[1] == pytest.approx(math.exp(-100))
