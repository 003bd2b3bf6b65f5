"""The typed configuration of a training: from Hydra's overrides, or from the card of a version."""

from collections.abc import Sequence
from typing import cast

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from animals.config.hydra_errors import explain, to_train_config
from animals.config.schema import register_schema
from animals.config.training import CONF_DIR, TrainConfig
from animals.errors import BrokenModel, ConfigError
from animals.records import Card


def compose_train_config(overrides: Sequence[str]) -> TrainConfig:
    """Return the configuration that a training with the same overrides has.

    Raises:
        ConfigError: an override is misspelt or impossible, or a folder of pictures does not exist.
    """
    register_schema()
    try:
        with initialize_config_dir(str(CONF_DIR), version_base=None):
            composed = compose("train", list(overrides))
    except HydraException as error:
        raise ConfigError(explain(error)) from error
    config = to_train_config(composed)
    config.data.check_sources()
    return config


def read_run_config(card: Card) -> TrainConfig:
    """Return the configuration of the run that made a version.

    Its pictures need not be on this machine.

    Raises:
        BrokenModel: the configuration has keys or values that this version of animals does not know.
    """
    try:
        merged = OmegaConf.merge(OmegaConf.structured(TrainConfig), card.config)
        return to_train_config(cast(DictConfig, merged))
    except (OmegaConfBaseException, ConfigError) as error:
        raise BrokenModel(
            f"The card of {card.version} has a configuration that this version of animals does not understand: "
            f"{error} Use the version that made it ({card.packages.get('animals', 'unknown')})."
        ) from error
