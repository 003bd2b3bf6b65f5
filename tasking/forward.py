"""Tasks that run another command, made from that command's own options."""

import argparse
from collections.abc import Callable, Iterator, Mapping
from inspect import Parameter, Signature
from typing import Any, NamedTuple, cast

from invoke.context import Context
from invoke.tasks import Task
from typer.core import TyperArgument, TyperCommand, TyperOption

from tasking.shell import python, python_until_killed, words

SERVICES = ("up", "demo")
"""Commands that start processes, which must not outlive the task."""


class Input(NamedTuple):
    """An option or an argument of a command."""

    name: str
    default: Any
    """As invoke takes values: a bool for a switch, text for other options, `Parameter.empty` for an argument."""
    help: str
    flags: tuple[str, ...] = ()
    """As typed: `--port`, or `--deploy` and `--no-deploy`; none for arguments."""


def command_task(command: TyperCommand) -> "Task[Any]":
    """Return a task with the name, help, options and arguments of a command of `animals`.

    An argument that may be repeated, such as Hydra overrides, becomes the option `--args`, which takes all of them.
    """
    name = str(command.name)
    inputs = [_typer_input(one) for one in cast(list[TyperArgument | TyperOption], command.params)]

    def run(line: Iterator[str]) -> None:
        start = python_until_killed if name in SERVICES else python
        start("animals", name, *line)

    return _task(name, str(command.help), inputs, run)


def module_task(name: str, doc: str, module: str, parser: argparse.ArgumentParser) -> "Task[Any]":
    """Return a task that runs a module with the options of its parser."""
    actions = [action for action in parser._actions if action.dest != "help"]
    return _task(name, doc, list(map(_argparse_input, actions)), lambda line: python(module, *line))


def _typer_input(one: TyperArgument | TyperOption) -> Input:
    if one.nargs == -1:
        return Input("args", "", f"{one.help}, in one string")
    if isinstance(one, TyperArgument):
        return Input(one.name, Parameter.empty, str(one.help))
    return Input(one.name, _default(one.default), str(one.help), (*one.opts, *one.secondary_opts))


def _argparse_input(action: argparse.Action) -> Input:
    meaning = str(action.help).replace("%%", "%")
    return Input(action.dest, _default(action.default), meaning, tuple(action.option_strings))


def _default(value: Any) -> bool | str:
    return value if isinstance(value, bool) else "" if value is None else str(value)


def _task(name: str, doc: str, inputs: list[Input], run: Callable[[Iterator[str]], None]) -> "Task[Any]":
    def body(_: Context, **values: Any) -> None:
        run(_command_line(inputs, values))

    body.__doc__ = doc
    parameters = [Parameter(one.name, Parameter.KEYWORD_ONLY, default=one.default) for one in inputs]
    # invoke reads the options from the signature
    body.__signature__ = Signature([Parameter("_", Parameter.POSITIONAL_ONLY), *parameters])  # type: ignore[attr-defined]
    positional = [one.name for one in inputs if one.default is Parameter.empty]
    meanings = {one.name: one.help for one in inputs}
    return Task(body, name=name, positional=positional, help=meanings, auto_shortflags=False)


def _command_line(inputs: list[Input], values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words for the values that differ from the default."""
    for one in inputs:
        value = values[one.name]
        if one.name == "args":
            yield from words(value)
        elif one.default is Parameter.empty:
            yield value
        elif value == one.default:
            continue
        elif isinstance(value, bool):
            yield one.flags[0] if value else one.flags[1]
        else:
            yield f"{one.flags[0]}={value}"
