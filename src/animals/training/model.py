"""The network and its input: any model of timm, by name."""

import difflib
from typing import Any, cast

import timm
import timm.optim
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD
from torch import nn

from animals.config.data import DataConfig
from animals.config.training import ModelConfig, OptimizerConfig
from animals.errors import AnimalsError, ConfigError
from animals.preprocess import Channels, InputSpec, Resize


def check_names(model: ModelConfig, optimizer: OptimizerConfig) -> None:
    """Raise for names that timm does not know, before any data is read.

    Raises:
        ConfigError: a name is unknown; the message has the nearest known names.
    """
    _check("model.name", model.name, timm.list_models())
    if model.pretrained and not timm.is_model_pretrained(model.name):
        raise ConfigError(f"timm has no pretrained weights for {model.name}. Train with model.pretrained=false.")
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
    options: dict[str, Any] = {"num_classes": labels, "drop_rate": config.drop_rate}
    pretrained = timm.get_pretrained_cfg(config.name)
    if pretrained and pretrained.fixed_input_size:
        options["img_size"] = side
    try:
        return timm.create_model(config.name, pretrained=config.pretrained, **options)
    except OSError as error:
        raise AnimalsError(
            f"The pretrained weights of {config.name} are not cached on this machine and could not be downloaded from "
            "the Hugging Face hub. Connect to the internet once, copy a cache and set HF_HOME, or train from scratch: "
            "model.pretrained=false"
        ) from error
