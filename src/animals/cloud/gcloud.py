"""gcloud, from Python: run a command, read its answer, or only print it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from animals.errors import CloudError

WAITS: Final = (3.0, 5.0, 10.0, 20.0, 30.0)
"""Seconds to wait before trying again what Google has not yet got around to."""

ENVIRONMENT: Final[Mapping[str, str]] = {
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",  # a question that nobody sees would wait for ever
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
}

_ABSENT: Final = re.compile(r"NOT_FOUND|not found|cannot find|does not exist|\b404\b", re.IGNORECASE)

_NOT_YET: Final = re.compile(
    # an API was just switched on; an account was just made; somebody else changed the same policy
    r"has not been used in project|SERVICE_DISABLED|[Ss]ervice account .*does not exist"
    r"|concurrent policy changes|ABORTED"
)


@dataclass(frozen=True, slots=True)
class Input:
    """What a command reads from its input, and nobody else may read."""

    shown: str
    """A command that makes such a thing, for people who read or copy what is printed."""
    make: Callable[[], str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Command:
    """Words of one command, from `gcloud` on, and what it is for."""

    words: tuple[str, ...]
    why: str
    """Begins a sentence: "create the bucket for models"."""
    stdin: Input | None = None

    def __str__(self) -> str:
        """As one would type it into a shell."""
        line = shlex.join(self.words)
        return f"{self.stdin.shown} | {line}" if self.stdin else line


class Gcloud:
    """Runs commands, or prints them.

    Args:
        dry_run: print each command instead of running it. Nothing is there, then: `exists` says no, `output` says "".
        waits: seconds before each further attempt at what may succeed later.
    """

    def __init__(self, *, dry_run: bool = False, waits: tuple[float, ...] = WAITS) -> None:
        self.dry_run = dry_run
        self._waits = waits

    def run(self, command: Command) -> None:
        """Do it.

        Raises:
            CloudError: gcloud is missing, not logged in, or did not do it.
        """
        self._say(command)
        if not self.dry_run:
            self._answer(command)

    def stream(self, command: Command) -> None:
        """The same, with what gcloud says going to the terminal as it comes: for what takes minutes."""
        self._say(command)
        if self.dry_run:
            return
        words = _program(command)
        code = subprocess.run(words, env={**os.environ, **ENVIRONMENT}, check=False).returncode  # noqa: S603
        if code:
            raise CloudError(f"Could not {command.why}: gcloud ended with exit code {code}. It says why above.")

    def output(self, command: Command) -> str:
        """What it prints; nothing in a dry run. Errors as for `run`."""
        if self.dry_run:
            self._say(command)
            return ""
        return self._answer(command)

    def read(self, command: Command) -> Any:
        """What it prints with `--format=json`, which is added; None in a dry run. Errors as for `run`."""
        asked = _as_json(command)
        text = self.output(asked)
        return _parsed(asked, text) if text.strip() else None

    def exists(self, command: Command) -> bool:
        """Whether what it describes is there; in a dry run it is not.

        Raises:
            CloudError: it cannot be told, as for `run`.
        """
        return self._found(command) is not None

    def find(self, command: Command) -> Any:
        """What it describes, with `--format=json`, which is added; None if that is not there, as in a dry run.

        Raises:
            CloudError: it cannot be told, as for `run`.
        """
        asked = _as_json(command)
        text = self._found(asked)
        return None if text is None else _parsed(asked, text)

    def _found(self, command: Command) -> str | None:
        if self.dry_run:
            self._say(command)
            return None
        try:
            return self._answer(command)
        except _Failed as error:
            if _ABSENT.search(error.stderr):
                return None
            raise

    def _answer(self, command: Command) -> str:
        for wait in (*self._waits, None):
            done = _run(command)
            if not done.returncode:
                return done.stdout
            if wait is None or not _NOT_YET.search(done.stderr):
                break
            time.sleep(wait)
        raise _Failed(command, done.stderr)

    def _say(self, command: Command) -> None:
        sys.stdout.write(f"# {command.why}\n{command}\n" if self.dry_run else f"{command.why}\n")
        sys.stdout.flush()


def _program(command: Command) -> list[str]:
    program = shutil.which(command.words[0])  # on Windows it is gcloud.cmd
    if program is None:
        raise CloudError(
            f"{command.words[0]} is not installed or not on the PATH. Install it "
            "(https://cloud.google.com/sdk/docs/install), or look with --dry-run at what would be done."
        )
    return [program, *command.words[1:]]


def _run(command: Command) -> "subprocess.CompletedProcess[str]":
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
    (r"Invalid choice|unrecognized arguments", "This gcloud is too old for it: gcloud components update."),
    (r"[Bb]illing", "Link the project to a billing account: https://console.cloud.google.com/billing."),
    (
        r"SERVICE_DISABLED|has not been used in project",
        "Switch the API on with `invoke gcp-setup`; if it just did so, wait a minute and try again.",
    ),
    (
        r"PERMISSION_DENIED|does not have permission|403|[Ff]orbidden",
        "Ask the project's owner for the right, or log in as somebody who has it.",
    ),
    (r"RESOURCE_EXHAUSTED|[Qq]uota", "Ask for more quota, or take another region."),
)


class _Failed(CloudError):
    """Gcloud ended with an error, and said why."""

    def __init__(self, command: Command, stderr: str) -> None:
        said = " ".join(stderr.split()) or "nothing"
        shown = said if len(said) <= 600 else f"{said[:600]} …"
        advice = next((advice for pattern, advice in _ADVICE if re.search(pattern, stderr)), "")
        super().__init__(f"Could not {command.why}. gcloud says: {shown} {advice or f'The command was: {command}'}")
        self.stderr = stderr


def _as_json(command: Command) -> Command:
    return Command((*command.words, "--format=json"), command.why)


def _parsed(command: Command, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CloudError(f"Could not {command.why}: gcloud answered {text[:80]!r}; expected JSON.") from error
