"""Commands that tasks run, from the repository's root and without a shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from invoke.exceptions import Exit

ROOT = Path(__file__).parents[1]


def run(*command: str, **environment: str) -> None:
    """Run a command from the repository's root; end with its exit code if it fails.

    A list of words and no shell: the same on every system, and nothing needs quoting.
    """
    finish(subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}))  # noqa: S603


def finish(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a command; end with its exit code if it fails."""
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # the command hears Ctrl-C too, and may have something to finish
    if code:
        raise Exit(code=code if code > 0 else 128 - code)  # as a shell says that a signal ended it


def python(*arguments: str, **environment: str) -> None:
    """Run a module of this environment."""
    run(sys.executable, "-m", *arguments, **environment)


def tool(name: str, *arguments: str) -> None:
    """Run a program of this environment, which need not be on the PATH."""
    found = shutil.which(name, path=Path(sys.executable).parent)
    if found is None:
        raise Exit(f"This environment has no {name}. `uv sync` brings what the project uses.", code=1)
    run(found, *arguments)


def words(text: str) -> list[str]:
    """Split what a person typed, as a shell does."""
    from animals.cli import split_words  # here, since a release reads the tasks where the package is not

    return split_words(text)


def options(**given: str | float) -> list[str]:
    """A command's options: `--name=value`, `--name` for a switch that is on, and none for what is empty or off."""
    found = []
    for key, value in given.items():
        name = f"--{key.replace('_', '-')}"
        if value is True:
            found.append(name)
        elif value is not False and value != "":
            found.append(f"{name}={value}")
    return found
