"""The network, and what it wants to see: any model of timm, by name."""

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
    """Refuse names that timm does not know, before any data is read.

    Raises:
        ConfigError: with the nearest known name.
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
    """How pictures are brought to this model: its own statistics, the data set's size and cut."""
    known = timm.get_pretrained_cfg(model.name)
    return InputSpec(
        side=data.side,
        mean=cast(Channels, tuple(known.mean if known else IMAGENET_DEFAULT_MEAN)),
        std=cast(Channels, tuple(known.std if known else IMAGENET_DEFAULT_STD)),
        resize=cast(Resize, data.resize),
        crop_pct=data.crop_pct,
        interpolation="bilinear" if known and known.interpolation == "bilinear" else "bicubic",
    )


def build_model(config: ModelConfig, labels: int, side: int) -> nn.Module:
    """The network with one output a label.

    Args:
        config: which.
        labels: how many.
        side: of the pictures; models of a fixed size (vision transformers) are built for it.

    Raises:
        AnimalsError: pretrained weights were asked for and are neither cached nor to be had.
    """
    options: dict[str, Any] = {"num_classes": labels, "drop_rate": config.drop_rate}
    known = timm.get_pretrained_cfg(config.name)
    if known and known.fixed_input_size:
        options["img_size"] = side
    try:
        return timm.create_model(config.name, pretrained=config.pretrained, **options)
    except OSError as error:
        raise AnimalsError(
            f"The pretrained weights of {config.name} are not cached here and could not be fetched from the Hugging "
            "Face hub. Connect to the internet once, copy a cache and set HF_HOME, or train from scratch: "
            "model.pretrained=false"
        ) from error
