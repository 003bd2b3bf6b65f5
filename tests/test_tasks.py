"""The tasks that a person types."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def invoke(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_invoke_alone_lists_the_tasks_with_a_line_of_help_each() -> None:
    done = invoke()
    assert done.returncode == 0
    for task in (
        "data",
        "evaluate",
        "format",
        "lint",
        "load-test",
        "profile",
        "promote",
        "publish",
        "requirements",
        "rollback",
        "serve",
        "test",
        "train",
    ):
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"  {task} ")]
        assert len(line.split()) > 3, f"{task} has no help"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--args", "optimizer.lrr=1"], 2, "error: There is no setting optimizer.lrr. Did you mean lr?\n"),
        (["publish", "no-such-run"], 2, "error: no-such-run holds no finished run"),
        (["serve", "--port", "99999"], 2, "PORT=99999"),
    ],
)
def test_a_mistake_reaches_the_terminal_with_its_exit_code(arguments: list[str], code: int, message: str) -> None:
    done = invoke(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_requirements_files_hold_versions_of_one_resolution() -> None:
    pins = {
        path.name: {line.partition(" ;")[0] for line in path.read_text().splitlines() if line[:1].isalpha()}
        for path in ROOT.glob("requirements*.txt")
    }
    everything = pins.pop("requirements_dev.txt")
    assert len(pins) == 3
    assert all(some <= everything for some in pins.values())
