"""The reference of the tasks, by invoke's own reading of them."""

import copy
import inspect
from dataclasses import dataclass
from typing import Any

import tasks
from docs.generate.markdown import code, page, table


@dataclass(kw_only=True, slots=True, frozen=True)
class Option:
    """One argument of a task."""

    word: str
    """As it is typed: `--args`, `--[no-]deploy` for a switch that is on, or `FOLDER` for one that has no name."""
    default: str
    help: str
    switch: bool
    """Whether it takes no value."""

    @property
    def spellings(self) -> tuple[str, ...]:
        """All that may be typed."""
        if "[no-]" in self.word:
            return self.word.replace("[no-]", ""), self.word.replace("[no-]", "no-")
        return (self.word,)


@dataclass(kw_only=True, slots=True, frozen=True)
class Command:
    """One task."""

    name: str
    doc: str
    """What it does; the first line says so in short."""
    example: str
    """As it is typed, from `invoke` or `animals` on."""
    options: tuple[Option, ...]


def commands() -> dict[str, Command]:
    """Each task by the name that it is called by."""
    found = tasks.namespace
    return {name: _command(name, found[name]) for name in found.task_names}


def _command(name: str, task: Any) -> Command:
    task = copy.copy(task)
    task.help = dict(task.help)  # its own, since invoke takes out what it has read
    doc, _, example = (inspect.getdoc(task) or "").partition("\n\nFor example: ")
    return Command(name=name, doc=doc, example=example, options=tuple(map(_option, task.get_arguments())))


def _option(argument: Any) -> Option:
    name, default = argument.names[0], argument.default
    named = f"--[no-]{name}" if default is True else f"--{name}"
    return Option(
        word=name.upper() if argument.positional else named,
        default="on" if default is True else "" if default in ("", False, None) else str(default),
        help=argument.help or "",
        switch=argument.kind is bool,
    )


def commands_page() -> str:
    """Every task with its arguments."""
    known = commands()
    return page(
        "Tasks",
        "`uv run invoke` lists them in the same groups, `uv run invoke --help TASK` says the same as this page. A "
        "switch is off unless it is given, but for those with `[no-]`; a value may stand behind the name or behind a "
        "`=`, as in `--port=8001`.",
        *(_group(heading, [known[name] for name in group]) for heading, group in tasks.GROUPS.items()),
        *(_section(command) for command in known.values()),
    )


def _group(heading: str, members: list[Command]) -> str:
    rows = [(f"[{command.name}](#{command.name})", command.doc.partition("\n")[0]) for command in members]
    return table((heading, ""), rows)


def _section(command: Command) -> str:
    rows = [
        (code(option.word), code(option.default) if option.default else "", option.help) for option in command.options
    ]
    arguments = table(("argument", "default", "meaning"), rows) if rows else ""
    return f"## {command.name}\n\n{command.doc}\n\n```bash\nuv run {command.example}\n```\n\n{arguments}"
