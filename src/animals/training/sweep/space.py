"""What a sweep searches: a YAML file of settings, each with a range or with choices."""

import difflib
import json
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final, get_type_hints

import yaml
from omegaconf import OmegaConf
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from animals.config.compose import compose_train_config
from animals.config.training import CONF_DIR, TrainConfig
from animals.errors import ConfigError

Space = dict[str, BaseDistribution]
"""Dotted setting -> the values it may take."""

Value = bool | int | float | str | None

SPACES: Final = CONF_DIR / "sweep"

NOT_SEARCHED: Final = ("name", "bucket", "promote", "tracking.", "trainer.resume", "trainer.devices", "trainer.nodes")
"""Settings that change nothing that is learned, or how trials are run."""

SAME_FOR_ALL: Final = (
    *("data.root", "data.shards", "data.sample", "data.folders", "data.val", "data.test"),
    *("data.split_seed", "data.duplicate_distance"),
)
"""Settings that decide which pictures validate: trials on different ones could not be compared."""


def read_space(name: str) -> Space:
    """The search space of a name in `conf/sweep`, or of a path to a YAML file.

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
        return {str(key): _distribution(str(key), said) for key, said in content.items()}
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
            f"There is no search space {name}.{_nearest(name, known)} "
            f"Expected a path to a .yaml file or one of {', '.join(known)} (in {SPACES})."
        )
    return SPACES / f"{name}.yaml"


def _nearest(name: str, known: Collection[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f" Did you mean {close[0]}?" if close else ""


def known_settings(schema: type = TrainConfig, prefix: str = "") -> dict[str, Any]:
    """Each setting of a run, dotted, and its type."""
    found: dict[str, Any] = {}
    for name, kind in get_type_hints(schema).items():
        if isinstance(kind, type) and is_dataclass(kind):
            found |= known_settings(kind, f"{prefix}{name}.")
        else:
            found[prefix + name] = kind
    return found


def _distribution(key: str, said: Any) -> BaseDistribution:
    kinds = known_settings()
    if key not in kinds:
        raise ConfigError(f"There is no setting {key}.{_nearest(key, kinds)}")
    if key.startswith(NOT_SEARCHED):
        raise ConfigError(f"{key} is not for searching: it does not change what is learned, or it is the sweep's own.")
    if key in SAME_FOR_ALL:
        raise ConfigError(f"{key} must be the same for all trials, which are compared on the same validation pictures.")
    if not isinstance(said, dict) or not ({"low", "high"} <= said.keys() or "choices" in said):
        raise ConfigError(f"{key} is {said}; expected {{low: ..., high: ...}} or {{choices: [...]}}.")
    allowed = ("choices",) if "choices" in said else ("low", "high", "log")
    for name in said:
        if name not in allowed:
            raise ConfigError(f"{key} has an entry {name}; expected {', '.join(allowed)} only.")
    return _choices(key, said["choices"]) if "choices" in said else _range(key, said, kinds[key])


def _choices(key: str, choices: Any) -> BaseDistribution:
    plain = isinstance(choices, list) and all(isinstance(choice, Value) for choice in choices)
    if not plain or len(set(choices)) < max(2, len(choices)):
        raise ConfigError(f"{key} has the choices {choices}; expected a list of two or more different plain values.")
    return CategoricalDistribution(choices)


def _range(key: str, said: Mapping[str, Any], kind: Any) -> BaseDistribution:
    low, high, log = said["low"], said["high"], said.get("log", False)
    if kind not in (int, float):
        raise ConfigError(f"{key} is no number, so it has no low and high; give it {{choices: [...]}}.")
    for name, value in (("low", low), ("high", high)):
        number = isinstance(value, kind | int) and not isinstance(value, bool) and math.isfinite(value)
        if not number:
            expected = "a whole number" if kind is int else "a number"
            raise ConfigError(f"{key} has {name}: {value}; expected {expected}.")
    if not isinstance(log, bool):
        raise ConfigError(f"{key} has log: {log}; expected true or false.")
    if low == high:
        raise ConfigError(f"{key} ranges from {low} to {high}, which is empty; give a single value by --args.")
    if low > high:
        raise ConfigError(f"{key} has low: {low} above high: {high}; expected low below high.")
    if log and low <= 0:
        raise ConfigError(f"{key} has log: true and low: {low}; expected low above 0.")
    return IntDistribution(low, high, log=log) if kind is int else FloatDistribution(low, high, log=log)


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Values of settings as Hydra overrides."""
    return [f"{key}={_text(value)}" for key, value in values.items()]


def _text(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | None) else repr(value)


def check_space(space: Space, args: Sequence[str]) -> list[TrainConfig]:
    """Find out before the first trial that no value of the space is impossible.

    Returns:
        Configurations that together hold each lowest, each highest and each choice.

    Raises:
        ConfigError: an override of `args` or a value of the space is impossible.
    """
    ends = {key: _ends(distribution) for key, distribution in space.items()}
    configs = [
        compose_train_config([*args, *overrides({key: end[number % len(end)] for key, end in ends.items()})])
        for number in range(max(map(len, ends.values())))
    ]
    if any(config.trainer.devices != 1 or config.trainer.nodes != 1 for config in configs):
        raise ConfigError("A trial trains on one device. Leave trainer.devices and trainer.nodes, and use --workers.")
    return configs


def _ends(distribution: Any) -> Sequence[Any]:
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices
    return (distribution.low, distribution.high)
