"""The command line: each command is declared once, with its options, their defaults and their help.

A command imports what it runs when it is called, so that help and completion take no time.
"""

from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from animals.cli import exit_on_error
from animals.commands import cloud, services, training, versions

GROUPS = {
    "Pictures and training": training.app,
    "Versions of the model": versions.app,
    "Services on this machine": services.app,
    "Google Cloud": cloud.app,
}
"""Heading -> the commands under it."""


class CommandGroup(TyperGroup):
    """Commands listed under headings; an error ends each of them with one sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that the words name."""
        with exit_on_error():
            return super().invoke(ctx)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - as in TyperGroup
        """Write the commands under their headings."""
        for heading, commands in command_groups().items():
            with formatter.section(heading):
                formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in commands.items()])


app = typer.Typer(
    cls=CommandGroup,
    help="Train, publish and run a picture classifier.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # Rich takes longer to import than the rest of the help
)
for members in GROUPS.values():
    app.add_typer(members)


def command_groups() -> dict[str, dict[str, TyperCommand]]:
    """Return heading -> name -> command, without the hidden commands."""
    return {heading: _visible_commands(commands) for heading, commands in GROUPS.items()}


def _visible_commands(commands: typer.Typer) -> dict[str, TyperCommand]:
    members = cast(dict[str, TyperCommand], typer.main.get_group(commands).commands)
    return {name: command for name, command in members.items() if not command.hidden}
