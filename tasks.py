"""What a person does with this repository: `invoke` lists it."""

import sys
from collections.abc import Iterator

from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import task
from invoke.util import helpline

from tasking import cloud, measurements, repository, services, training, versions

GROUPS = {
    str(module.__doc__).rstrip("."): Collection.from_module(module).tasks
    for module in (training, versions, services, cloud, measurements, repository)
}
"""Heading -> the group's tasks by name, in the order of the file."""


@task(name="list", default=True)
def list_tasks(_: Context) -> None:
    """Show the tasks in their groups, as `invoke` alone does.

    For example: invoke list
    """
    sys.stdout.write("\n".join(listing()) + "\n")


def listing() -> Iterator[str]:
    """The groups with a line for each task. Invoke's own `--list` knows no groups and sorts by name."""
    width = max(len(name) for group in GROUPS.values() for name in group)
    for heading, group in GROUPS.items():
        yield heading
        yield from (f"  {name:{width}}   {helpline(one)}" for name, one in group.items())
        yield ""
    yield "`invoke --help TASK` tells a task's options, and shows an example."


namespace = Collection(list_tasks)
for members in GROUPS.values():
    for member in members.values():
        namespace.add_task(member)
