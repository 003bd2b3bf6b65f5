"""Tasks that run a command of `animals`, made from the command's own declaration."""

from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature
from typing import Any

from invoke.context import Context
from invoke.tasks import Task
from typer.core import TyperArgument, TyperCommand, TyperOption

from tasking.shell import python, python_until_killed, words

SERVICES = ("up", "demo")
"""Commands that start processes, which must not outlive the task."""


def forward(command: TyperCommand) -> Task:
    """Return a task with the name, help, arguments and options of a command.

    An argument that may be repeated, such as Hydra overrides, becomes the option `--args`, which takes all of them.
    """

    def body(_: Context, **values: Any) -> None:
        run = python_until_killed if command.name in SERVICES else python
        run("animals", str(command.name), *_command_line(command, values))

    body.__doc__ = command.help
    body.__signature__ = Signature(  # type: ignore[attr-defined] # what invoke reads the options from
        [
            Parameter("_", Parameter.POSITIONAL_OR_KEYWORD),
            *(Parameter(_name(it), Parameter.KEYWORD_ONLY, default=_default(it)) for it in command.params),
        ]
    )
    return Task(
        body,
        name=command.name,
        positional=[_name(it) for it in command.params if it.param_type_name == "argument" and it.nargs == 1],
        help={_name(it): it.help + (", in one string" if it.nargs == -1 else "") for it in command.params},
    )


def _name(parameter: TyperArgument | TyperOption) -> str:
    return "args" if parameter.nargs == -1 else parameter.name


def _default(parameter: TyperArgument | TyperOption) -> Any:
    """Return the default in the form in which invoke takes values: switches as booleans, all others as text."""
    if isinstance(parameter.default, bool):
        return parameter.default
    return "" if parameter.default in (None, []) else str(parameter.default)


def _command_line(command: TyperCommand, values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words of what was given, without options that have their default."""
    for parameter in command.params:
        value = values[_name(parameter)]
        if parameter.nargs == -1:
            yield from words(value)
        elif parameter.param_type_name == "argument":
            yield value
        elif isinstance(value, bool) and value != parameter.default:
            yield parameter.opts[0] if value else parameter.secondary_opts[0]
        elif value != _default(parameter):
            yield f"{parameter.opts[0]}={value}"
