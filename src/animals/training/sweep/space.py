"""The search space of a sweep: a YAML file of settings, each with a range or with choices."""

import json
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial
from pydantic import BaseModel, Field, ValidationError

from animals.config.compose import compose_train_config
from animals.config.hydra_errors import explain as explain_config
from animals.config.training import CONF_DIR, TrainConfig
from animals.errors import ConfigError
from animals.records import explain

Space = dict[str, BaseDistribution]
"""Dotted setting -> the values it may take."""

SPACES: Final = CONF_DIR / "sweep"

NOT_SEARCHED: Final = ("name", "bucket", "promote", "tracking.", "trainer.resume", "trainer.devices", "trainer.nodes")
"""Settings that change nothing that is learned, or how trials are run."""

SAME_FOR_ALL: Final = (
    *("data.root", "data.shards", "data.sample", "data.folders", "data.val", "data.test"),
    *("data.split_seed", "data.duplicate_distance"),
)
"""Settings that decide which pictures validate: trials on different ones could not be compared."""


class _FloatRange(BaseModel, extra="forbid", strict=True, allow_inf_nan=False):
    """All numbers from `low` to `high`."""

    low: float
    high: float
    log: bool = False


class _IntRange(_FloatRange):
    low: int
    high: int


class _Choices(BaseModel, extra="forbid", strict=True, allow_inf_nan=False):
    choices: Annotated[list[bool | int | float | str | None], Field(min_length=2)]


def read_space(name: str) -> Space:
    """Read a search space from a name in `conf/sweep`, or from a path to a YAML file.

    Raises:
        ConfigError: there is none, or it says something impossible.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else SPACES / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(path.stem for path in SPACES.glob("*.yaml")))
        raise ConfigError(f"There is no search space {name}. Expected a path to a .yaml file or one of: {known}.")
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or not content:
        raise ConfigError(f"{path} names no setting to search. Expected, say: optimizer.lr: {{low: 1e-4, high: 1e-2}}")
    try:
        return {str(key): _distribution(str(key), entry) for key, entry in content.items()}
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def _distribution(key: str, entry: Any) -> BaseDistribution:
    try:
        kind = type(reduce(getattr, key.split("."), OmegaConf.structured(TrainConfig)))
    except AttributeError as error:
        raise ConfigError(explain_config(error)) from error
    if key.startswith(NOT_SEARCHED):
        raise ConfigError(f"{key} is not for searching: it does not change what is learned, or it is the sweep's own.")
    if key in SAME_FOR_ALL:
        raise ConfigError(f"{key} must be the same for all trials, which are compared on the same validation pictures.")
    if not isinstance(entry, dict):
        raise ConfigError(f"{key} is {entry}; expected {{low: ..., high: ...}} or {{choices: [...]}}.")
    try:
        if "choices" in entry:
            return CategoricalDistribution(_Choices.model_validate(entry).choices)
        if kind is int:
            return IntDistribution(**_IntRange.model_validate(entry).model_dump())
        if kind is float:
            return FloatDistribution(**_FloatRange.model_validate(entry).model_dump())
    except ValidationError as error:
        raise ConfigError(f"{key} is {entry}, where {explain(error)}.") from error
    except ValueError as error:  # of Optuna, which compares the numbers
        raise ConfigError(f"{key} is {entry}: {error}") from error
    raise ConfigError(f"{key} is no number, so it has no low and high; give it {{choices: [...]}}.")


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Choose the values of one trial."""
    for name, values in space.items():
        match values:
            case FloatDistribution():
                trial.suggest_float(name, values.low, values.high, log=values.log)
            case IntDistribution():
                trial.suggest_int(name, values.low, values.high, log=values.log)
            case CategoricalDistribution():
                trial.suggest_categorical(name, values.choices)
    return trial.params


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Return values of settings as Hydra overrides."""
    return [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]


def format_value(value: Any) -> str:
    """Return a setting's value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def check_space(space: Space, args: Sequence[str]) -> list[TrainConfig]:
    """Check before the first trial that each value of the space is possible.

    Returns:
        Configurations that together hold each lowest, each highest and each choice.

    Raises:
        ConfigError: an override of `args` or a value of the space is impossible.
    """
    ends = {key: _ends(values) for key, values in space.items()}
    configs = [
        compose_train_config([*args, *overrides({key: end[number % len(end)] for key, end in ends.items()})])
        for number in range(max(map(len, ends.values())))
    ]
    if any(config.trainer.devices != 1 or config.trainer.nodes != 1 for config in configs):
        raise ConfigError("A trial trains on one device. Leave trainer.devices and trainer.nodes, and use --workers.")
    return configs


def _ends(values: Any) -> Sequence[Any]:
    return values.choices if isinstance(values, CategoricalDistribution) else (values.low, values.high)
