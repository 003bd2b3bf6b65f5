"""Tasks that run a command of `animals`, made from the command's own declaration."""

from collections.abc import Iterator, Mapping
from inspect import Parameter, Signature
from typing import Any, cast

from invoke.context import Context
from invoke.tasks import Task
from typer.core import TyperArgument, TyperCommand, TyperOption

from tasking.shell import python, python_until_killed, words

SERVICES = ("up", "demo")
"""Commands that start processes, which must not outlive the task."""

Declared = TyperArgument | TyperOption


def forward(command: TyperCommand) -> "Task[Any]":
    """Return a task with the name, help, arguments and options of a command.

    An argument that may be repeated, such as Hydra overrides, becomes the option `--args`, which takes all of them.
    """
    declared = cast(list[Declared], command.params)

    def body(_: Context, **values: Any) -> None:
        run = python_until_killed if command.name in SERVICES else python
        run("animals", str(command.name), *_command_line(declared, values))

    body.__doc__ = command.help
    body.__signature__ = Signature(  # type: ignore[attr-defined] # what invoke reads the options from
        [
            Parameter("_", Parameter.POSITIONAL_OR_KEYWORD),
            *(Parameter(_name(one), Parameter.KEYWORD_ONLY, default=_default(one)) for one in declared),
        ]
    )
    return Task(
        body,
        name=command.name,
        positional=[_name(one) for one in declared if _is_positional(one)],
        help={_name(one): f"{one.help}{', in one string' if one.nargs == -1 else ''}" for one in declared},
    )


def _name(declared: Declared) -> str:
    return "args" if declared.nargs == -1 else declared.name


def _is_positional(declared: Declared) -> bool:
    return isinstance(declared, TyperArgument) and declared.nargs == 1


def _default(declared: Declared) -> Any:
    """Return the default in the form in which invoke takes values: switches as booleans, all others as text."""
    if _is_positional(declared):
        return Parameter.empty
    if isinstance(declared.default, bool):
        return declared.default
    return "" if declared.default in (None, []) else str(declared.default)


def _command_line(declared: list[Declared], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words for the values that differ from the default."""
    for one in declared:
        value = values[_name(one)]
        if one.nargs == -1:
            yield from words(value)
        elif _is_positional(one):
            yield value
        elif value == _default(one):
            continue
        elif isinstance(value, bool):
            yield one.opts[0] if value else one.secondary_opts[0]
        else:
            yield f"{one.opts[0]}={value}"
