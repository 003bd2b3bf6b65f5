"""Commands that tasks run, from the repository's root and without a shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from invoke.exceptions import Exit

from animals.cli import split_words
from animals.errors import UsageError

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


def python_until_killed(*arguments: str) -> None:
    """Run a module of this environment, and end it when this process is killed."""
    command = [sys.executable, "-m", "animals.local.child_process", *arguments]
    finish(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE))  # noqa: S603 - the end of its input ends it


def tool(name: str, *arguments: str) -> None:
    """Run a program of this environment, which need not be on the PATH."""
    found = shutil.which(name, path=Path(sys.executable).parent)
    if found is None:
        raise Exit(f"This environment has no {name}. `uv sync` brings what the project uses.", code=1)
    run(found, *arguments)


def words(text: str) -> list[str]:
    """Split what a person typed, as a shell does.

    Raises:
        Exit: a quotation mark is not closed.
    """
    try:
        return split_words(text)
    except UsageError as error:
        raise Exit(str(error), code=2) from error
