"""What benchmarks have in common when they write results: their command, the machine, and two files side by side."""

import json
import shlex
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from profiling.machine import cpu_name, system_name


def command() -> str:
    """Return the command of this process, as one types it."""
    main = sys.modules["__main__"].__spec__
    return shlex.join(["python", "-m", main.name if main else sys.argv[0], *sys.argv[1:]])


def conditions() -> dict[str, Any]:
    """Return command, date and machine: the first fields of every result."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return {"command": command(), "date": date, "cpu": cpu_name(), "system": system_name()}


def heading(title: str, result: Mapping[str, Any]) -> str:
    """Return the first lines of a result's page."""
    return f"# {title}\n\n`{result['command']}`, {result['date']}, {result['cpu']}, {result['system']}"


def write(result: Mapping[str, Any], page: str, out: Path) -> None:
    """Write a result as JSON and its page as Markdown beside it, and print the page."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    out.with_suffix(".md").write_text(page, encoding="utf-8")
    sys.stdout.write(page)
