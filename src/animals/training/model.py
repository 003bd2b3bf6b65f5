"""The network and its input: any model of timm, by name."""

import difflib
from typing import Any, cast

import timm
import timm.optim
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn

from animals.config.data import DataConfig
from animals.config.training import ModelConfig, OptimizerConfig
from animals.errors import ConfigError
from animals.preprocess import Channels, InputSpec, Resize
from animals.training.weights import HUB, describe_weights, load_pretrained


def check_names(model: ModelConfig, optimizer: OptimizerConfig) -> None:
    """Raise for names that timm does not know and for weights that cannot be loaded, before any data is read.

    Raises:
        ConfigError: a name is unknown; the message has the nearest known names.
    """
    _check("model.name", model.name, timm.list_models())
    if model.pretrained and model.weights in ("", HUB) and not timm.is_model_pretrained(model.name):
        raise ConfigError(f"timm has no pretrained weights for {model.name}. Train with model.pretrained=false.")
    describe_weights(model)
    _check("optimizer.name", optimizer.name, [str(name) for name in timm.optim.list_optimizers()])


def _check(key: str, name: str, known: list[str]) -> None:
    if name not in known:
        close = ", ".join(difflib.get_close_matches(name, known, n=3)) or "none"
        raise ConfigError(f'{key} is "{name}", which timm does not know. Nearest: {close}.')


def input_spec(model: ModelConfig, data: DataConfig) -> InputSpec:
    """Return how pictures become this model's input: with its own statistics, and the configured size and crop."""
    pretrained = timm.get_pretrained_cfg(model.name)
    return InputSpec(
        side=data.side,
        mean=cast(Channels, tuple(pretrained.mean if pretrained else IMAGENET_DEFAULT_MEAN)),
        std=cast(Channels, tuple(pretrained.std if pretrained else IMAGENET_DEFAULT_STD)),
        resize=cast(Resize, data.resize),
        crop_pct=data.crop_pct,
        interpolation="bilinear" if pretrained and pretrained.interpolation == "bilinear" else "bicubic",
    )


def build_model(config: ModelConfig, labels: int, side: int) -> nn.Module:
    """Return a network with one output per label.

    Models of a fixed size (vision transformers) are built for pictures of `side` pixels.

    Raises:
        AnimalsError: pretrained weights are configured, not cached, and cannot be downloaded.
    """
    options = architecture_options(config, side)
    if not config.pretrained:
        return timm.create_model(config.name, pretrained=False, num_classes=labels, **options)
    model: Any = load_pretrained(config, options).model
    model.reset_classifier(labels)
    return cast(nn.Module, model)


def architecture_options(config: ModelConfig, side: int) -> dict[str, Any]:
    """Return the arguments of `timm.create_model` that the configuration and the pictures' side give."""
    options: dict[str, Any] = {"drop_rate": config.drop_rate}
    pretrained = timm.get_pretrained_cfg(config.name)
    if pretrained and pretrained.fixed_input_size:
        options["img_size"] = side
    return options
