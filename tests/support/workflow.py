"""The workflow `model`, and the commands that are written in it."""

import shlex
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).parents[2]
WORKFLOW: Final[dict[Any, Any]] = yaml.safe_load((ROOT / ".github/workflows/model.yml").read_text(encoding="utf-8"))
JOBS: Final[dict[str, Any]] = WORKFLOW["jobs"]


def command(job: str, step: str, variables: dict[str, str]) -> list[str]:
    """The words of a step, as the shell would make them with these variables."""
    (found,) = [it for it in JOBS[job]["steps"] if it.get("id") == step]
    return [_filled(word, variables) for word in shlex.split(found["run"])]


def _filled(word: str, variables: dict[str, str]) -> str:
    for name, value in variables.items():
        word = word.replace(f"${name}", value)
    assert "$" not in word, word
    return word
