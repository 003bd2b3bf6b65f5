"""The steps of the set-up: each looks at one kind of thing, and says which commands it still needs."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from animals.cloud.gcloud import Command, Gcloud
from animals.cloud.target import Place
from animals.errors import CloudError


@dataclass(slots=True)
class Setup:
    """What the steps know, and what they leave for a person to do."""

    place: Place
    gcloud: Gcloud
    github: str = ""
    """OWNER/REPO, or nothing."""
    email: str = ""
    number: str = "PROJECT_NUMBER"
    """Of the project; the first step finds it, but in a dry run."""
    left: list[str] = field(default_factory=list)
    """Sentences and commands, printed at the end."""

    def command(self, why: str, *words: str) -> Command:
        """One of gcloud's in this project."""
        return Command(("gcloud", *words, f"--project={self.place.project}"), why)


@dataclass(frozen=True, slots=True)
class Step:
    """One kind of thing."""

    title: str
    missing: Callable[[Setup], Iterator[Command]]
    """The commands that bring it about: none if all is as it should be. It looks while it goes, so that a command sees
    what the one before it has done."""
    needed: bool = False
    """Whether nothing after it can succeed without it."""


def take(steps: tuple[Step, ...], setup: Setup) -> None:
    """Take each step; one that fails does not keep the others from being taken, unless they need it.

    Raises:
        CloudError: of the step that failed, or that several did.
    """
    failures: dict[str, str] = {}
    done = 0
    for step in steps:
        sys.stdout.write(f"\n# == {step.title}\n" if setup.gcloud.dry_run else f"{step.title}:\n")
        changed = 0
        try:
            for command in step.missing(setup):
                setup.gcloud.run(command)
                changed += 1
        except CloudError as error:
            sys.stderr.write(f"failed: {error}\n")
            failures[step.title] = str(error)
            if step.needed:
                break
        else:
            if not changed and not setup.gcloud.dry_run:
                sys.stdout.write("nothing to do\n")
        done += changed
    _sum_up(setup, done, failures)


def _sum_up(setup: Setup, done: int, failures: dict[str, str]) -> None:
    if setup.left:
        sys.stdout.write("\n# == For you to do\n" if setup.gcloud.dry_run else "\nFor you to do:\n")
        sys.stdout.writelines(f"{line}\n" for line in setup.left)
    if failures:
        raise CloudError(
            f"Failed: {', '.join(failures)}. The reasons are above. What was made stays; put right what is wrong and "
            "run the same command again: it goes on from there."
        )
    if not setup.gcloud.dry_run:
        sys.stdout.write(f"\n{f'Changes: {done}.' if done else 'Everything was there already; nothing was changed.'}\n")


def shown(path: Path) -> str:
    """A path as one would type it from here."""
    here = Path.cwd()
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.as_posix()
