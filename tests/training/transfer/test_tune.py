"""Tuning keeps what the frozen network knew, and the head alone where it gains nothing."""

import math
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import timm
import torch
from pytorch_lightning.callbacks import Timer
from torch import nn

from animals.config.training import ModelConfig, SchedulerConfig, TrainConfig
from animals.data.dataset import DataSet
from animals.data.load import load_data_set
from animals.training.callbacks import METRICS, read_metrics
from animals.training.model import input_spec
from animals.training.module import _factor_by_time
from animals.training.transfer.features import Backbone, classifier_of
from animals.training.transfer.tune import last_stages, tune
from animals.training.weights import PACKAGE, hash_of, load_pretrained
from tests.training.conftest import tiny_config

NETWORK = "tf_efficientnet_lite0"


@pytest.fixture
def config(pictures: Path, tmp_path: Path) -> TrainConfig:
    base = tiny_config(pictures, tmp_path, epochs=3)
    model = ModelConfig(name=NETWORK, weights=PACKAGE)
    data = replace(base.data, val=0.3, balance=True)
    return replace(base, model=model, data=data, optimizer=replace(base.optimizer, lr=1e-3))


@pytest.fixture
def data_set(config: TrainConfig) -> DataSet:
    return load_data_set(config.data, input_spec(config.model, config.data))


@pytest.fixture
def network(config: TrainConfig) -> nn.Module:
    model: Any = load_pretrained(config.model, {}).model
    model.reset_classifier(3)
    nn.init.zeros_(classifier_of(model).weight)
    return cast(nn.Module, model.eval())


def stem(network: nn.Module) -> str:
    """Return a hash of the first stages, which are frozen."""
    layers = dict(network.named_children())
    return hash_of(nn.Sequential(layers["conv_stem"], layers["bn1"], *list(layers["blocks"].children())[:4]))


def test_a_better_network_is_kept_with_its_first_stages_as_they_were(
    config: TrainConfig, data_set: DataSet, network: nn.Module, tmp_path: Path
) -> None:
    before = stem(network)
    norms = [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)]
    unsure = np.zeros((len(data_set.rows("val")), 3))
    tuned = tune(config, network, unsure, data_set, tmp_path, seconds=math.inf)
    assert tuned
    assert "from blocks.4.0" in tuned
    assert stem(network) == before
    assert [name for name, module in network.named_modules() if isinstance(module, nn.BatchNorm2d)] == norms
    assert not network.training


def test_a_network_that_is_no_better_is_put_back(
    config: TrainConfig, data_set: DataSet, network: nn.Module, tmp_path: Path
) -> None:
    before = hash_of(network)
    targets = data_set.targets[data_set.rows("val")]
    perfect = np.where(np.arange(3) == targets[:, None], 50.0, 0.0)
    assert tune(config, network, perfect, data_set, tmp_path, seconds=math.inf) is None
    assert hash_of(network) == before


def test_a_time_limit_ends_tuning(config: TrainConfig, data_set: DataSet, network: nn.Module, tmp_path: Path) -> None:
    endless = replace(config, trainer=replace(config.trainer, epochs=10_000))
    tune(endless, network, np.zeros((len(data_set.rows("val")), 3)), data_set, tmp_path, seconds=1)
    assert 1 <= len(read_metrics(tmp_path / METRICS)) < 10_000


@pytest.mark.parametrize(("spent", "factor"), [(0.0, 0.0), (3.0, 1.0), (6.5, 0.5), (10.0, 0.0), (11.0, 0.0)])
def test_the_learning_rate_follows_the_time_where_it_is_limited(spent: float, factor: float) -> None:
    timer = Timer(timedelta(seconds=10))
    timer.load_state_dict({"time_elapsed": {"train": spent}})
    assert _factor_by_time(0, timer=timer, config=SchedulerConfig()) == pytest.approx(factor, abs=0.01)


@pytest.mark.parametrize(
    ("name", "first", "head"),
    [(NETWORK, "blocks.4.0.conv_pw.weight", "classifier"), ("resnet18", "layer3.0.conv1.weight", "fc")],
)
def test_the_last_third_of_the_stages_is_tuned_without_norms(name: str, first: str, head: str) -> None:
    network = timm.create_model(name, num_classes=3)
    names = last_stages(network)
    assert names[0] == first
    assert names[-2:] == [f"{head}.weight", f"{head}.bias"]
    assert not [name for name in names if "bn" in name]
    assert Backbone(network).eval()(torch.zeros(1, 3, 32, 32)).ndim == 2
