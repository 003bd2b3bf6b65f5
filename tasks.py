"""What a person does with this repository: `invoke` lists it."""

import sys
from collections.abc import Iterator

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from invoke.util import helpline

from animals.commands import command_groups
from tasking import measurements, repository
from tasking.forward import command_task

GROUPS = {
    **{
        heading: {name: command_task(command) for name, command in commands.items()}
        for heading, commands in command_groups().items()
    },
    "Measurements": Collection.from_module(measurements).tasks,
    "This repository": Collection.from_module(repository).tasks,
}
"""Heading -> the group's tasks by name."""


@task(name="list", default=True)
def list_tasks(_: Context) -> None:
    """Show the tasks in their groups, as `invoke` alone does.

    For example: invoke list
    """
    sys.stdout.write("\n".join(listing()) + "\n")


def listing() -> Iterator[str]:
    """Yield the groups with a line for each task. Invoke's own `--list` knows no groups and sorts by name."""
    width = max(len(name) for group in GROUPS.values() for name in group)
    for heading, group in GROUPS.items():
        yield heading
        yield from (f"  {name:{width}}   {helpline(one)}" for name, one in group.items())
        yield ""
    yield "`invoke --help TASK` shows a task's options and an example."


namespace = Collection(list_tasks, *(one for group in GROUPS.values() for one in group.values()))
