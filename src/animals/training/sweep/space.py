"""The search space of a sweep: a YAML file of settings, each with a range or with choices."""

import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeVar, get_type_hints

import yaml
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import Trial
from pydantic import BaseModel, Field, ValidationError

from animals.config.compose import compose_train_config
from animals.config.training import CONF_DIR, TrainConfig
from animals.errors import ConfigError
from animals.records import explain

Space = dict[str, BaseDistribution]
"""Dotted setting -> the values it may take."""

Value = bool | int | float | str | None

Number = TypeVar("Number", int, float)

SPACES: Final = CONF_DIR / "sweep"

NOT_SEARCHED: Final = ("name", "bucket", "promote", "tracking.", "trainer.resume", "trainer.devices", "trainer.nodes")
"""Settings that change nothing that is learned, or how trials are run."""

SAME_FOR_ALL: Final = (
    *("data.root", "data.shards", "data.sample", "data.folders", "data.val", "data.test"),
    *("data.split_seed", "data.duplicate_distance"),
)
"""Settings that decide which pictures validate: trials on different ones could not be compared."""


class _Range(BaseModel, Generic[Number], extra="forbid", strict=True, allow_inf_nan=False):
    """All numbers from `low` to `high`."""

    low: Number
    high: Number
    log: bool = False


class _Choices(BaseModel, extra="forbid", strict=True, allow_inf_nan=False):
    """A few values."""

    choices: Annotated[list[Value], Field(min_length=2)]


def read_space(name: str) -> Space:
    """Read a search space from a name in `conf/sweep`, or from a path to a YAML file.

    Raises:
        ConfigError: there is none, or it says something impossible.
    """
    path = _find(name)
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


def _find(name: str) -> Path:
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise ConfigError(f"There is no file {name}. Expected a YAML file of settings to search.")
        return Path(name)
    known = sorted(path.stem for path in SPACES.glob("*.yaml"))
    if name not in known:
        raise ConfigError(
            f"There is no search space {name}.{_suggest_nearest(name, known)} "
            f"Expected a path to a .yaml file or one of {', '.join(known)} (in {SPACES})."
        )
    return SPACES / f"{name}.yaml"


def _suggest_nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def _setting_types(schema: type = TrainConfig, prefix: str = "") -> dict[str, Any]:
    """Return each setting of a run, dotted, and its type."""
    types: dict[str, Any] = {}
    for name, kind in get_type_hints(schema).items():
        if isinstance(kind, type) and is_dataclass(kind):
            types |= _setting_types(kind, f"{prefix}{name}.")
        else:
            types[prefix + name] = kind
    return types


def _distribution(key: str, entry: Any) -> BaseDistribution:
    types = _setting_types()
    if key not in types:
        raise ConfigError(f"There is no setting {key}.{_suggest_nearest(key, types)}")
    if key.startswith(NOT_SEARCHED):
        raise ConfigError(f"{key} is not for searching: it does not change what is learned, or it is the sweep's own.")
    if key in SAME_FOR_ALL:
        raise ConfigError(f"{key} must be the same for all trials, which are compared on the same validation pictures.")
    if not isinstance(entry, dict):
        raise ConfigError(f"{key} is {entry}; expected {{low: ..., high: ...}} or {{choices: [...]}}.")
    if "choices" not in entry and types[key] not in (int, float):
        raise ConfigError(f"{key} is no number, so it has no low and high; give it {{choices: [...]}}.")
    try:
        if "choices" in entry:
            return CategoricalDistribution(_Choices.model_validate(entry).choices)
        if types[key] is int:
            return IntDistribution(**_Range[int].model_validate(entry).model_dump())
        return FloatDistribution(**_Range[float].model_validate(entry).model_dump())
    except ValidationError as error:
        raise ConfigError(f"{key} is {entry}, where {explain(error)}.") from error
    except ValueError as error:  # of Optuna, which compares the numbers
        raise ConfigError(f"{key} is {entry}: {error}") from error


def suggest(trial: Trial, space: Space) -> dict[str, Value]:
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
    return [f"{key}={_as_text(value)}" for key, value in values.items()]


def format_value(value: Any) -> str:
    """Return a setting's value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _as_text(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | None) else repr(value)


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
