"""What the measuring commands left: JSON, or a Markdown page that begins with its command and the day."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from animals.errors import DataError


def read_json(path: Path, command: str) -> dict[str, Any]:
    """What a command left.

    Raises:
        DataError: it is not there or no JSON; the message names the command.
    """
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}). Make it: {command}") from error
    return found


def read_text(path: Path, command: str) -> str:
    """The same for a page.

    Raises:
        DataError: it is not there; the message names the command.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error}). Make it: {command}") from error


def made_by(found: Mapping[str, Any], more: str = "") -> str:
    """The line that says how a part came about."""
    day = datetime.fromisoformat(found["date"]).date().isoformat()
    return f"*`{found['command']}`, {day}, {found['cpu']}, {found['system']}{more}*"


def command_of(text: str) -> tuple[str, str]:
    """Command and day of a page that begins with them.

    Raises:
        DataError: it does not.
    """
    found = re.search(r"^`(?P<command>[^`]+)`, (?P<day>\d{4}-\d\d-\d\d)", text, re.MULTILINE)
    if found is None:
        raise DataError(f"{text[:40]!r} names neither the command that made it nor the day.")
    return found["command"], found["day"]
