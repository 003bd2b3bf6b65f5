"""The tasks that a person types."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.exceptions import Exit

import tasks

ROOT = Path(__file__).parent.parent


def invoke(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


def test_invoke_alone_lists_the_tasks_with_a_line_of_help_each() -> None:
    done = invoke()
    assert done.returncode == 0
    for task in (
        "data",
        "demo",
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
        "up",
    ):
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"  {task} ")]
        assert len(line.split()) > 3, f"{task} has no help"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["train", "--args", "optimizer.lrr=1"], 2, "error: There is no setting optimizer.lrr. Did you mean lr?\n"),
        (["publish", "no-such-run"], 2, "error: no-such-run holds no finished run"),
        (["serve", "--port", "99999"], 2, "PORT=99999"),
        (["up", "--page-port", "0"], 2, "--page-port: expected 1 to 65535"),
    ],
)
def test_a_mistake_reaches_the_terminal_with_its_exit_code(arguments: list[str], code: int, message: str) -> None:
    done = invoke(*arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_a_command_that_is_interrupted_may_finish_what_it_does() -> None:
    saving = """
import time
try:
    print("begun", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(1)
    print("saved", flush=True)
    raise SystemExit(130)
"""
    code = f"""
import sys
from invoke.exceptions import Exit
import tasks
try:
    tasks.run(sys.executable, "-c", {saving!r})
except Exit as ended:
    sys.exit(ended.code)
"""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout
        assert process.stdout.readline() == b"begun\n"
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        assert process.stdout.read() == b"saved\n"
        assert process.wait(10) == 130


def test_the_requirements_files_hold_versions_of_one_resolution() -> None:
    pins = {
        path.name: {
            line.partition(" ;")[0] for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalpha()
        }
        for path in ROOT.glob("requirements*.txt")
    }
    everything = pins.pop("requirements_dev.txt")
    assert len(pins) == 5
    assert all(some <= everything for some in pins.values())


CHANGELOG = """# Changelog

## [Unreleased]

### Added
- What comes.

## [0.2.0] - 2026-11-24

### Added
- Cats, see [how](docs/how.md).

### Fixed
- Dogs.

## [0.1.0] - 2026-11-01

First.
"""


def test_a_release_says_what_the_changelog_says_of_its_version() -> None:
    assert tasks.released("0.2.0", CHANGELOG) == "### Added\n- Cats, see [how](docs/how.md).\n\n### Fixed\n- Dogs.\n"
    assert tasks.released("0.1.0", CHANGELOG) == "First.\n"


@pytest.mark.parametrize("version", ["0.3.0", "0.2", "0x2.0", "Unreleased"])
def test_a_version_of_which_the_changelog_says_nothing_is_not_released(version: str) -> None:
    with pytest.raises(Exit) as ended:
        tasks.released(version, CHANGELOG)
    assert ended.value.code == 1
    assert f"has nothing under `## [{version}] - YYYY-MM-DD`" in str(ended.value)


def test_a_version_whose_section_is_empty_is_not_released() -> None:
    with pytest.raises(Exit, match="has nothing under"):
        tasks.released("0.4.0", CHANGELOG.replace("## [0.2.0]", "## [0.4.0] - 2026-12-01\n\n## [0.2.0]"))


def test_the_changelog_has_a_section_for_what_comes() -> None:
    sections = [line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "]
    assert sections[0] == "## [Unreleased]"


def test_only_the_version_of_the_package_is_released() -> None:
    done = invoke("release-notes", "99.0")
    assert done.returncode == 1
    assert "not 99.0: change it there, or tag v" in done.stderr


def test_a_check_that_is_none_is_told_with_those_that_are() -> None:
    done = invoke("lint", "--only", "spelling")
    assert done.returncode == 2
    assert "There is no check spelling. There are: style, form, types" in done.stderr
