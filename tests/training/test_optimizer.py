"""Weights move in one pass where they can, at a rate that rises and falls."""

import pytest
import torch

from animals.config.training import OptimizerConfig, SchedulerConfig
from animals.training.optimizer import learning_rate_factor, make_optimizer


@pytest.mark.parametrize(("name", "fused"), [("adamw", True), ("sgd", True), ("lamb", None)])
def test_an_optimizer_is_fused_where_it_can_be(name: str, fused: bool | None) -> None:
    optimizer = make_optimizer(torch.nn.Linear(3, 2), OptimizerConfig(name=name, lr=0.1, weight_decay=0.2))
    assert [group.get("fused") for group in optimizer.param_groups] == [fused, fused]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]
    assert sorted(group["weight_decay"] for group in optimizer.param_groups) == [0, 0.2]  # none on biases


def test_an_optimizer_is_not_fused_when_gradients_must_be_unscaled_first() -> None:
    optimizer = make_optimizer(torch.nn.Linear(3, 2), OptimizerConfig(name="adamw"), fused=False)
    assert not any(group["fused"] for group in optimizer.param_groups)


def test_the_learning_rate_rises_in_a_line_and_falls_to_nothing() -> None:
    config = SchedulerConfig(name="cosine", warmup=0.25)
    factors = [learning_rate_factor(step, steps=100, config=config) for step in range(101)]
    assert factors[:25] == sorted(factors[:25])
    assert factors[25] == max(factors) == 1
    assert factors[25:] == sorted(factors[25:], reverse=True)
    assert factors[100] == pytest.approx(0, abs=1e-9)


def test_a_constant_learning_rate_stays() -> None:
    config = SchedulerConfig(name="constant", warmup=0)
    assert {learning_rate_factor(step, steps=10, config=config) for step in range(10)} == {1.0}
