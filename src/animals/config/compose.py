"""Compose the configuration of a training for commands that do not train."""

from collections.abc import Sequence

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from animals.config.hydra_errors import explain, to_train_config
from animals.config.training import CONF_DIR, TrainConfig, register_schema
from animals.errors import ConfigError


def compose_train_config(overrides: Sequence[str]) -> TrainConfig:
    """Return the configuration that a training with these overrides would use.

    Raises:
        ConfigError: an override is misspelt or impossible.
    """
    register_schema()
    try:
        with initialize_config_dir(str(CONF_DIR), version_base=None):
            composed = compose("train", list(overrides))
    except HydraException as error:
        raise ConfigError(explain(error)) from error
    return to_train_config(composed)
