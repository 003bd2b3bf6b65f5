"""gcloud commands: run, read as JSON, or only print them."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from animals.errors import CloudError

WAITS: Final = (3.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds to wait before each retry of a command that fails because an earlier change is not effective yet."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",  # a prompt would wait forever
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
}

_ABSENT: Final = re.compile(r"NOT_FOUND|not found|cannot find|does not exist|\b404\b", re.IGNORECASE)

_NOT_YET: Final = re.compile(
    # an API was just enabled; an account was just created; another process changed the same policy
    r"has not been used in project|SERVICE_DISABLED|[Ss]ervice account .*does not exist"
    r"|concurrent policy changes|ABORTED"
)


@dataclass(frozen=True, slots=True)
class Input:
    """A secret that a command reads from its standard input."""

    shown: str
    """A command that generates such a secret, for printing."""
    make: Callable[[], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """The words of a command, from `gcloud` on, and its purpose."""

    words: tuple[str, ...]
    why: str
    """Purpose, as in "create the bucket for models"."""
    stdin: Input | None = None

    def __str__(self) -> str:
        """Return the command as typed into a shell."""
        line = shlex.join(self.words)
        return f"{self.stdin.shown} | {line}" if self.stdin else line


class Gcloud:
    """Runner of commands, or printer in a dry run.

    Args:
        dry_run: print each command instead of running it. Then nothing exists, and every output is empty.
        waits: seconds before each retry of what may succeed later.
    """

    def __init__(self, *, dry_run: bool = False, waits: tuple[float, ...] = WAITS) -> None:
        self.dry_run = dry_run
        self._waits = waits

    def run(self, command: Command) -> None:
        """Run a command.

        Raises:
            CloudError: gcloud is not installed, not logged in, or failed.
        """
        self._print(command)
        if not self.dry_run:
            self._run(command)

    def stream(self, command: Command) -> None:
        """Run a command that takes minutes, with its output on the terminal. Errors as for `run`."""
        self._print(command)
        if self.dry_run:
            return
        words = _program(command)
        code = subprocess.run(words, env={**os.environ, **ENVIRONMENT}, check=False).returncode  # noqa: S603
        if code:
            raise CloudError(f"Could not {command.why}: gcloud ended with exit code {code}. See its output above.")

    def output(self, command: Command) -> str:
        """Run a command and return its output; empty in a dry run. Errors as for `run`."""
        if self.dry_run:
            self._print(command)
            return ""
        return self._run(command)

    def read(self, command: Command) -> Any:
        """Run a command with `--format=json` and return its output; None in a dry run. Errors as for `run`."""
        text = self.output(replace(command, words=(*command.words, "--format=json")))
        try:
            return json.loads(text) if text.strip() else None
        except ValueError as error:
            raise CloudError(f"Could not {command.why}: gcloud printed {text[:80]!r}; expected JSON.") from error

    def find(self, command: Command) -> Any:
        """Return the resource that a command describes; None if it does not exist, or in a dry run.

        Raises:
            CloudError: the command failed for another reason than a missing resource.
        """
        try:
            return self.read(command)
        except _Failed as error:
            if _ABSENT.search(error.stderr):
                return None
            raise

    def _run(self, command: Command) -> str:
        for wait in (*self._waits, None):
            process = _start(command)
            if not process.returncode:
                return process.stdout
            if wait is None or not _NOT_YET.search(process.stderr):
                break
            time.sleep(wait)
        raise _Failed(command, process.stderr)

    def _print(self, command: Command) -> None:
        sys.stdout.write(f"# {command.why}\n{command}\n" if self.dry_run else f"{command.why}\n")
        sys.stdout.flush()


def _program(command: Command) -> list[str]:
    program = shutil.which(command.words[0])  # on Windows it is gcloud.cmd
    if program is None:
        raise CloudError(
            f"{command.words[0]} is not installed or not on the PATH. Install it "
            "(https://cloud.google.com/sdk/docs/install), or print the commands with --dry-run."
        )
    return [program, *command.words[1:]]


def _start(command: Command) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603
        _program(command),
        input=command.stdin.make() if command.stdin else None,
        stdin=None if command.stdin else subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, **ENVIRONMENT},
        check=False,
    )


_ADVICE: Final[tuple[tuple[str, str], ...]] = (
    (r"active account selected|gcloud auth login|[Rr]eauthentication", "Log in: gcloud auth login."),
    (r"Invalid choice|unrecognized arguments", "This gcloud is too old: gcloud components update."),
    (r"[Bb]illing", "Link the project to a billing account: https://console.cloud.google.com/billing."),
    (
        r"SERVICE_DISABLED|has not been used in project",
        "Enable the API with `invoke gcp-setup`; if it just did, wait a minute and try again.",
    ),
    (
        r"PERMISSION_DENIED|does not have permission|403|[Ff]orbidden",
        "Ask the project's owner for the permission, or log in with an account that has it.",
    ),
    (r"RESOURCE_EXHAUSTED|[Qq]uota", "Request more quota, or use another region."),
)


class _Failed(CloudError):
    """A gcloud command that ended with an error."""

    def __init__(self, command: Command, stderr: str) -> None:
        text = " ".join(stderr.split()) or "nothing"
        shown = text if len(text) <= 600 else f"{text[:600]} …"
        advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, stderr)), "")
        super().__init__(f"Could not {command.why}. gcloud says: {shown} {advice or f'The command was: {command}'}")
        self.stderr = stderr
