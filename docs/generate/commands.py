"""The reference of the tasks, as invoke reads them."""

import copy
import inspect
from collections.abc import Iterator
from typing import Any

from animals.markdown import table
from tasks import GROUPS


def commands() -> str:
    """Return a section for each group of tasks, with each task's arguments and an example."""
    return "\n\n".join(part for heading, group in GROUPS.items() for part in _group(heading, group))


def _group(heading: str, group: dict[str, Any]) -> Iterator[str]:
    yield f"## {heading}"
    for name, original in group.items():
        task = copy.copy(original)
        task.help = dict(task.help)  # invoke removes what it has read
        text, _, example = (inspect.getdoc(task) or "").partition("\n\nFor example: ")
        yield f"### {name}\n\n{text}\n\n```bash\nuv run {example or f'invoke {name}'}\n```"
        if rows := [_row(argument) for argument in task.get_arguments()]:
            yield table(["argument", "default", "meaning"], rows)


def _row(argument: Any) -> list[str]:
    name, default = argument.names[0], argument.default
    shown = "on" if default is True else "" if default in ("", False, None) else f"`{default}`"
    word = name.upper() if argument.positional else f"--[no-]{name}" if default is True else f"--{name}"
    return [f"`{word}`", shown, argument.help or ""]
