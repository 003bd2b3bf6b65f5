import numpy as np
import pytest
from numpy.typing import NDArray

from animals.training.transfer.head import STRENGTHS, Examples, Head, fit_head


def clusters(pictures: list[int], seed: int, *, spread: float = 1.0) -> Examples:
    """Return examples around one centre for each label in 8 dimensions."""
    rng = np.random.default_rng(seed)
    centres = 2 * np.eye(len(pictures), 8)
    targets = np.repeat(np.arange(len(pictures)), pictures)
    noise = spread * rng.standard_normal((len(targets), 8))
    return Examples((centres[targets] + noise).astype(np.float32), targets)


def recall(head: Head, examples: Examples, label: int) -> float:
    chosen = examples.targets == label
    right: NDArray[np.bool_] = head.logits(examples.features[chosen]).argmax(1) == label
    return float(right.mean())


def test_a_head_separates_what_is_separable() -> None:
    fitted = fit_head(clusters([50] * 3, 0, spread=0.3), clusters([20] * 3, 1, spread=0.3), 3, balance=False)
    test = clusters([50] * 3, 2, spread=0.3)
    assert (fitted.head.logits(test.features).argmax(1) == test.targets).mean() > 0.98
    assert fitted.strength in STRENGTHS
    assert set(fitted.losses) <= set(STRENGTHS)


def test_balance_finds_more_of_a_rare_label() -> None:
    train, val, test = clusters([400, 20], 0), clusters([100, 10], 1), clusters([500, 500], 2)
    balanced, plain = (fit_head(train, val, 2, balance=balance).head for balance in (True, False))
    assert recall(balanced, test, 1) > recall(plain, test, 1) + 0.1


def test_weights_of_balanced_labels_have_the_same_sum_and_a_mean_of_one() -> None:
    weights = clusters([30, 10], 0).weights(2, balance=True)
    assert weights[:30].sum() == pytest.approx(weights[30:].sum())
    assert weights.mean() == pytest.approx(1)


def test_a_head_stays_near_its_start_where_the_pictures_say_nothing() -> None:
    rng = np.random.default_rng(0)
    noise = [Examples(rng.standard_normal((60, 8)).astype(np.float32), rng.integers(0, 2, 60)) for _ in range(2)]
    start = Head(np.eye(2, 8, dtype=np.float32), np.zeros(2, np.float32))
    near, free = (fit_head(noise[0], noise[1], 2, balance=False, start=begin).head for begin in (start, None))
    similarities = [np.corrcoef(head.weight.ravel(), start.weight.ravel())[0, 1] for head in (near, free)]
    assert similarities[0] > 0.7
    assert similarities[1] < 0.4


def test_the_fit_is_the_same_each_time() -> None:
    train, val = clusters([30] * 3, 0), clusters([10] * 3, 1)
    first, second = (fit_head(train, val, 3, balance=True).head for _ in range(2))
    np.testing.assert_array_equal(first.weight, second.weight)
