"""The reference of the tasks, from `tasks.py` by invoke's own reading of it."""

import importlib.util
import inspect
import io
import os
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

from invoke.collection import Collection

from animals.__main__ import parse
from docs.generate.markdown import code, page, table

TASKS: Final = Path(__file__).parents[2] / "tasks.py"


@dataclass(kw_only=True, slots=True, frozen=True)
class Option:
    """One argument of a task."""

    word: str
    """As it is typed: `--args`, or `FOLDER` for one that has no name."""
    default: str
    help: str
    switch: bool
    """Whether it takes no value."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Command:
    """One task."""

    name: str
    doc: str
    options: tuple[Option, ...]


def commands() -> dict[str, Command]:
    """Each task by the name that it is called by."""
    spec = importlib.util.spec_from_file_location("tasks", TASKS)
    assert spec is not None  # noqa: S101 - for mypy: the path ends in .py
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    collection = Collection.from_module(module)
    return {name: _command(name, collection[name]) for name in sorted(collection.task_names)}


def _command(name: str, task: Any) -> Command:
    options = tuple(_option(argument) for argument in task.get_arguments())  # once: invoke takes the help out
    return Command(name=name, doc=inspect.getdoc(task) or "", options=options)


def _option(argument: Any) -> Option:
    name, default = argument.names[0], argument.default
    return Option(
        word=name.upper() if argument.positional else f"--{name}",
        default="" if default in ("", False, None) else str(default),
        help=argument.help or "",
        switch=argument.kind is bool,
    )


def commands_page() -> str:
    """Every task with its arguments."""
    return page(
        "Tasks",
        "`uv run invoke --list` names them, `uv run invoke --help TASK` says the same as this page. A switch is off "
        "unless it is given; a value may stand behind the name or behind a `=`, as in `--port=8001`.",
        *(_section(command) for command in commands().values()),
        "## animals classify\n\nBesides the tasks, the package has one command, for "
        f"[many pictures](../design/clients.md).\n\n```text\n{_help_of_classify()}```",
    )


def _help_of_classify() -> str:
    shown = io.StringIO()
    with patch.dict(os.environ, COLUMNS="100"), redirect_stdout(shown), suppress(SystemExit):
        parse(["classify", "--help"])
    return shown.getvalue()


def _section(command: Command) -> str:
    rows = [
        (code(option.word), code(option.default) if option.default else "", option.help) for option in command.options
    ]
    arguments = table(("argument", "default", "meaning"), rows) if rows else ""
    usage = " ".join(["uv run invoke", command.name, *(one.word for one in command.options if one.word.isupper())])
    return f"## {command.name}\n\n{command.doc}\n\n```bash\n{usage}\n```\n\n{arguments}"
