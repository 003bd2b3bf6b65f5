"""Errors of Hydra and OmegaConf as one sentence each."""

import difflib
from dataclasses import fields, is_dataclass
from typing import Any

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from animals.config.training import TrainConfig
from animals.errors import ConfigError


def to_train_config(config: DictConfig) -> TrainConfig:
    """Return the composed configuration as a `TrainConfig`.

    Raises:
        ConfigError: a value is impossible or missing, or an added key is not in the schema.
    """
    try:
        typed = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigError(explain(error)) from error
    except AttributeError as error:  # what OmegaConf raises for a key added with +
        raise ConfigError(f"The configuration has an unknown key: {error}.") from error
    if not isinstance(typed, TrainConfig):
        raise ConfigError(f"The configuration is a {type(typed).__name__}; expected a TrainConfig.")
    return typed


def explain(error: Exception) -> str:
    """Return what is wrong with the configuration, given a HydraException or an OmegaConfBaseException."""
    cause = error.__cause__ if isinstance(error, HydraException) else error
    if isinstance(cause, ConfigAttributeError | ConfigKeyError):
        return f"There is no setting {cause.full_key}.{_nearest(cause)}"
    if isinstance(cause, OmegaConfBaseException):
        return f"{cause.full_key}: {str(cause).splitlines()[0]}."
    # the search path and links that follow are for Hydra's own developers
    message = str(error).split("Config search path")[0].split("See http")[0]
    return " ".join(message.split())


def _nearest(error: Any) -> str:
    """Return a hint: the closest known setting, or all of them."""
    if not is_dataclass(error.object_type):
        return f" To add an entry, put a + before it: +{error.full_key}=..."
    known = [field.name for field in fields(error.object_type)]
    close = difflib.get_close_matches(str(error.key), known, n=1)
    return f" Did you mean {close[0]}?" if close else f" Known settings: {', '.join(known)}."
