"""The two files that people edit: prices with their sources, and assumptions with their reasons."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from animals.errors import ConfigError

HERE: Final = Path(__file__).parents[1]
PRICES: Final = HERE / "prices.toml"
ASSUMPTIONS: Final = HERE / "cost.toml"

SHARES: Final = ("page", "new_visitors", "feedback", "consent")
"""Assumptions between 0 and 1; all others are 0 or more."""

POSITIVE: Final = ("hours", "visit_pictures", "sessions", "uplink", "concurrency", "kept_seconds", "months")
"""Assumptions that something is divided by, or of which there is one at the least."""

Entry = TypeVar("Entry", "Price", "Assumption")


@dataclass(kw_only=True, slots=True, frozen=True)
class Price:
    """What one thing costs."""

    name: str
    unit: str
    per: float
    """Dollars for one unit."""
    free: float
    """Units a month for nothing."""
    page: str
    checked: Literal["page", "elsewhere", "no"]
    note: str = ""


@dataclass(kw_only=True, slots=True, frozen=True)
class Prices:
    """All prices of one day in one region."""

    date: str
    region: str
    of: Mapping[str, Price]


@dataclass(kw_only=True, slots=True, frozen=True)
class Assumption:
    """What nobody can measure beforehand."""

    value: float
    unit: str
    reason: str


def read_prices(path: Path = PRICES) -> Prices:
    """The table of prices.

    Raises:
        ConfigError: it cannot be read, or an entry lacks something.
    """
    found = _read(path)
    entries = {key: entry for key, entry in found.items() if isinstance(entry, dict)}
    return Prices(date=found["date"], region=found["region"], of=_entries(path, entries, Price))


def read_assumptions(path: Path = ASSUMPTIONS) -> dict[str, Assumption]:
    """The table of assumptions, or a part of it.

    Raises:
        ConfigError: it cannot be read, or an entry lacks something.
    """
    return _entries(path, _read(path), Assumption)


def changed(assumptions: Mapping[str, Assumption], values: Mapping[str, float]) -> dict[str, Assumption]:
    """The assumptions with other values.

    Raises:
        ConfigError: one is unknown, or its value impossible.
    """
    for name, value in values.items():
        if name not in assumptions:
            raise ConfigError(f"{name} is no assumption; there are {', '.join(assumptions)}.")
        most = 24 if name == "hours" else 1 if name in SHARES else math.inf
        if not 0 <= value <= most or not math.isfinite(value) or (value == 0 and name in POSITIVE):
            least = "more than 0" if name in POSITIVE else "0 or more"
            ends = f" and at most {most}" if most < math.inf else ""
            raise ConfigError(f"{name} is {value:g}; it must be {least}{ends}.")
    given = {name: replace(assumptions[name], value=value) for name, value in values.items()}
    return {**assumptions, **given}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); expected a TOML file like {ASSUMPTIONS.name}.") from error


def _entries(path: Path, found: Mapping[str, Any], kind: type[Entry]) -> dict[str, Entry]:
    entries = {}
    for key, entry in found.items():
        try:
            entries[key] = kind(**entry)
        except TypeError as error:
            raise ConfigError(f"{path}, [{key}] is not a whole entry: {error}.") from error
    return entries
