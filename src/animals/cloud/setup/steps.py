"""Steps of the set-up: each checks one kind of resource, and yields the commands that are still needed."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Target
from animals.errors import CloudError


@dataclass(slots=True)
class Setup:
    """State shared by the steps."""

    target: Target
    gcloud: Gcloud
    github: str = ""
    """OWNER/REPO, or empty."""
    email: str = ""
    number: str = "PROJECT_NUMBER"
    """Number of the project, set by the first step except in a dry run."""
    todo: list[str] = field(default_factory=list)
    """Sentences and commands for a person, printed at the end."""

    def command(self, why: str, *words: str) -> Command:
        """Return a gcloud command in this project."""
        return Command(("gcloud", *words, f"--project={self.target.project}"), why)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of resource."""

    title: str
    commands: Callable[[Setup], Iterator[Command]]
    """Yields the commands that are needed, if any. Each is run before the generator continues."""
    required: bool = False
    """Whether all later steps depend on it."""


def run_steps(steps: tuple[Step, ...], setup: Setup) -> None:
    """Run the steps; after a failure, continue with the next one unless the failed one is required.

    Raises:
        CloudError: at the end, if a step failed.
    """
    failures: list[str] = []
    changes = 0
    for step in steps:
        sys.stdout.write(f"\n# == {step.title}\n" if setup.gcloud.dry_run else f"{step.title}:\n")
        changed = 0
        try:
            for command in step.commands(setup):
                setup.gcloud.run(command)
                changed += 1
        except CloudError as error:
            sys.stderr.write(f"failed: {error}\n")
            failures.append(step.title)
            if step.required:
                break
        else:
            if not changed and not setup.gcloud.dry_run:
                sys.stdout.write("nothing to do\n")
        changes += changed
    _summarize(setup, changes, failures)


def _summarize(setup: Setup, changes: int, failures: list[str]) -> None:
    if setup.todo:
        sys.stdout.write("\n# == For you to do\n" if setup.gcloud.dry_run else "\nFor you to do:\n")
        sys.stdout.writelines(f"{line}\n" for line in setup.todo)
    if failures:
        raise CloudError(
            f"Failed: {', '.join(failures)}. The reasons are above. Fix them and run the same command again: it "
            "continues from there."
        )
    if not setup.gcloud.dry_run:
        sys.stdout.write(
            f"\n{f'Changes: {changes}.' if changes else 'Everything exists already; nothing was changed.'}\n"
        )


def shown(path: Path) -> str:
    """Return a path relative to the working directory, if it is below it."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()
