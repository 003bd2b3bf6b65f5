"""Checks of single settings, with errors that name the key, the value and what was expected."""

import difflib
import math
from collections.abc import Collection

from animals.errors import ConfigError


def check_choice(key: str, value: str, choices: Collection[str]) -> None:
    """Raise ConfigError if a value is none of the choices."""
    if value not in choices:
        close = difflib.get_close_matches(value, choices, n=1)
        hint = f" Did you mean {close[0]}?" if close else ""
        raise ConfigError(f'{key} is "{value}"; expected one of {", ".join(sorted(choices))}.{hint}')


def check_range(key: str, value: float, low: float, high: float = math.inf) -> None:
    """Raise ConfigError if a value is below `low` or above `high`."""
    if not low <= value <= high:
        bounds = f"at least {low}" if high == math.inf else f"from {low} to {high}"
        raise ConfigError(f"{key} is {value}; expected {bounds}.")


def check_positive(key: str, value: float) -> None:
    """Raise ConfigError if a value is 0 or less."""
    if not value > 0:
        raise ConfigError(f"{key} is {value}; expected more than 0.")
