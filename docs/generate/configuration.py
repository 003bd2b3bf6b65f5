"""The reference of a training's settings, from the typed schema and the YAML files."""

import re
from dataclasses import MISSING, fields, is_dataclass
from typing import Any

from hydra.core.config_store import ConfigStore

from animals.config import training
from docs.generate.attributes import attributes
from docs.generate.markdown import code, page, table


def configuration_page() -> str:
    """Every key, the named choices and the experiments."""
    groups = {field.name: field for field in fields(training.TrainConfig) if _is_group(field)}
    return page(
        "Settings of a training",
        "Any of them can be given to `invoke train` in `--args`, as in "
        '`--args "optimizer.lr=3e-4 trainer.epochs=30"`, or after `animals train`. A misspelt or '
        "impossible one is named before any data is read. An experiment sets some of them at once: "
        '`--args "experiment=folder data.root=path/to/pictures"`.',
        f"## The run\n\n{_keys(training.TrainConfig, '')}",
        *(_section(name, field.default_factory) for name, field in groups.items()),
        f"## Choices\n\n{_choices()}",
        f"## Experiments\n\n{_experiments()}",
    )


def _is_group(field: Any) -> bool:
    return is_dataclass(field.default_factory)


def _section(name: str, kind: Any) -> str:
    return f"## {name} {{ #{name} }}\n\n{kind.__doc__}\n\n{_keys(kind, f'{name}.')}"


def _keys(kind: type, prefix: str) -> str:
    described = {attribute.name: attribute for attribute in attributes(kind)}
    rows = [
        (code(f"{prefix}{field.name}"), code(described[field.name].type), _default(field), _doc(described, field))
        for field in fields(kind)
        if not _is_group(field)
    ]
    return table(("key", "type", "default", "meaning"), rows)


def _doc(described: dict[str, Any], field: Any) -> str:
    doc: str = described[field.name].doc
    return doc


def _default(field: Any) -> str:
    value = field.default if field.default is not MISSING else field.default_factory()
    if isinstance(value, str) and (variable := re.fullmatch(r"\$\{oc\.env:(\w+),(.*)\}", value)):
        return f"`{variable[1]}` or `{variable[2]}`"
    shown = {None: "null", True: "true", False: "false", "": '""'}
    return code(shown[value] if isinstance(value, str | bool | None) and value in shown else value)


def _choices() -> str:
    training.register_schema()
    store = ConfigStore.instance().repo
    rows = [
        (code(f"{group}={name.removesuffix('.yaml')}"), _differences(node.node))
        for group in ("data", "trainer")
        for name, node in sorted(store[group].items())
    ]
    return "Each sets a whole group.\n\n" + table(("choice", "what it sets"), rows)


def _differences(node: Any) -> str:
    kind = node._metadata.object_type
    default = kind()
    said = [f"`{key}: {value}`" for key, value in node.items() if value != getattr(default, key) and key != "folders"]
    if node.get("folders"):
        said.append("`folders`: those of Animals-10")
    return ", ".join(said) or "nothing but the defaults"


def _experiments() -> str:
    files = sorted((training.CONF_DIR / "experiment").glob("*.yaml"))
    return "\n\n".join(
        f"### {file.stem} {{ #experiment-{file.stem} }}\n\n```yaml\n{file.read_text('utf-8').strip()}\n```"
        for file in files
    )
