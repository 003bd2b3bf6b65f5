"""The reference of settings: Hydra's keys of a training, and the environment variables of the services."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, Final

import griffe
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from animals.config.training import CONF_DIR, TrainConfig
from animals.frontend.settings import PageSettings
from animals.markdown import table
from animals.monitoring.settings import ReportSettings
from animals.monitoring.trigger import TriggerSettings
from animals.serving.settings import BackendSettings
from animals.training.release.announce import AnnounceSettings

VARIABLES: Final[dict[str, type[BaseSettings]]] = {
    "Backend": BackendSettings,
    "Page": PageSettings,
    "Report function": ReportSettings,
    "Requests to retrain": TriggerSettings,
    "Announcing a version": AnnounceSettings,
}


def settings() -> str:
    """Return a table of keys for the run and for each group, then the experiments."""
    groups = [field for field in dataclasses.fields(TrainConfig) if _is_group(field)]
    sections = [f"## The run\n\n{_keys(TrainConfig, '')}"]
    sections += [
        f"## {it.name}\n\n{_first(it.default_factory)}\n\n{_keys(it.default_factory, f'{it.name}.')}" for it in groups
    ]
    for file in sorted((CONF_DIR / "experiment").glob("*.yaml")):
        sections.append(f"## experiment={file.stem}\n\n```yaml\n{file.read_text('utf-8').strip()}\n```")
    return "\n\n".join(sections)


def _is_group(field: Any) -> bool:
    return dataclasses.is_dataclass(field.default_factory)


def _keys(kind: Any, prefix: str) -> str:
    source = griffe.load(f"{kind.__module__}.{kind.__qualname__}")
    rows = [
        [
            f"`{prefix}{it.name}`",
            f"`{source[it.name].annotation}`",
            _default(it),
            _line(source[it.name].docstring.value),
        ]
        for it in dataclasses.fields(kind)
        if not _is_group(it)
    ]
    return table(["key", "type", "default", "meaning"], rows)


def _default(field: Any) -> str:
    value = field.default if field.default is not dataclasses.MISSING else field.default_factory()
    if isinstance(value, str) and (variable := re.fullmatch(r"\$\{oc\.env:(\w+),(.*)\}", value)):
        return f"`{variable[1]}` or `{variable[2]}`"
    shown = {None: "null", True: "true", False: "false", "": '""'}
    return f"`{shown[value] if isinstance(value, str | bool | None) and value in shown else value}`"


def variables() -> str:
    """Return a table of environment variables for each class of settings."""
    return "\n\n".join(f"## {title}\n\n{_first(kind)}\n\n{_variables(kind)}" for title, kind in VARIABLES.items())


def _variables(kind: type[BaseSettings]) -> str:
    return table(["variable", "default", "meaning"], list(_variable_rows(kind)))


def _variable_rows(kind: type[BaseSettings]) -> Iterator[list[str]]:
    prefix = str(kind.model_config.get("env_prefix", ""))
    for name, field in kind.model_fields.items():
        secret = SecretStr in getattr(field.annotation, "__args__", ())
        default = "*secret*" if secret else "" if field.default is None else f"`{field.default}`"
        yield [f"`{field.validation_alias or f'{prefix}{name}'.upper()}`", default, _line(field.description or "")]


def _first(kind: Any) -> str:
    return str(kind.__doc__).partition("\n")[0]


def _line(text: str) -> str:
    return " ".join(text.split())
