"""The tasks that a person types."""

import inspect
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from invoke.exceptions import Exit
from invoke.program import Program

import tasks
from tasking import forward
from tasking.repository import changelog_section

ROOT = Path(__file__).parent.parent


def invoke(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "invoke", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


def test_invoke_alone_lists_the_tasks_in_groups_with_a_line_of_help_each() -> None:
    done = invoke()
    assert done.returncode == 0
    *groups, hint = done.stdout.strip().split("\n\n")
    assert "`invoke --help TASK`" in hint
    assert [group.splitlines()[0] for group in groups] == list(tasks.GROUPS)
    listed = {line.split()[0]: line for group in groups for line in group.splitlines()[1:]}
    assert {"train", "promote", "up", "gcp-setup", "load-test", "lint"} < set(listed)
    assert {*listed, "list"} == set(tasks.namespace.task_names)
    assert all(line.startswith(f"  {task} ") and len(line) < 80 for task, line in listed.items())


def test_invokes_own_list_has_one_line_for_each_task_too() -> None:
    lines = [line for line in invoke("--list").stdout.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == sorted(tasks.namespace.task_names)


@pytest.mark.parametrize("name", tasks.namespace.task_names)
def test_a_task_begins_with_a_short_sentence_and_ends_with_an_example(name: str) -> None:
    first, *_, last = inspect.cleandoc(tasks.namespace[name].__doc__).splitlines()
    assert len(first) <= 60  # a line of `invoke --list` has 80 columns
    assert first.endswith(".")
    assert last.startswith((f"For example: invoke {name}", f"For example: animals {name}"))


def test_help_shows_what_a_task_does_its_example_and_each_option() -> None:
    shown = invoke("--help", "promote").stdout
    assert "Promote a version, unless the one that serves is better." in shown
    assert 'For example: animals promote 20261124-142154-sample-095c35 --reason "better on photographs"' in shown
    assert all(
        words in shown for words in ("--reason=STRING    reason, which", "--force ", "--version=STRING   a published")
    )


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ('train --args "experiment=folder data.root=a"', "train experiment=folder data.root=a"),
        ("""train --args "name='two words'" """, "train 'name=two words'"),
        ("train", "train"),
        ("data --check --stats --args data.root=a", "data data.root=a --check --stats"),
        ("data --source feedback --root b", "data --source=feedback --root=b"),
        ("data --shards gs://a/b --version", "data --shards=gs://a/b --version"),
        ("profile --steps 20 --args trainer.batch_size=32", "profile trainer.batch_size=32 --steps=20"),
        ('sweep --name lr --trials 20 --workers 2 --args "a=1 b=2"', "sweep a=1 b=2 --name=lr --workers=2"),
        ("publish runs/a --no-promote", "publish runs/a --no-promote"),
        ("announce r6", "announce r6"),
        ("check-version r6 --into c", "check-version r6 --into=c"),
        ("evaluate --version r6 --pictures 200", "evaluate --version=r6 --pictures=200"),
        ("optimize --channels 0.5", "optimize --channels=0.5"),
        ('promote r6 --reason "it is better" --force', "promote r6 '--reason=it is better' --force"),
        ("rollback --reason=worse", "rollback --reason=worse"),
        ('classify --args "a b/*.jpg" --out p.parquet', "classify a 'b/*.jpg' --out=p.parquet"),
        ("serve --port 8001", "serve --port=8001"),
        ("up --page-port 8601", "up --page-port=8601"),
        ('demo --once --args "trainer.epochs=4"', "demo trainer.epochs=4 --once"),
        ("decide --days 14", "decide --days=14"),
        ("gcp-setup --project zoo-1 --dry-run", "gcp-setup --project=zoo-1 --dry-run"),
        ("build --tag first --no-deploy", "build --tag=first --no-deploy"),
        ("deploy --tag=first --only backend", "deploy --tag=first --only=backend"),
        ("train-cloud --gpu l4,cpu --follow --args a=1", "train-cloud a=1 --gpu=l4,cpu --follow"),
        ("function build/function", "function build/function"),
    ],
)
def test_a_task_runs_the_command_with_what_was_given(typed: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    for name in ("python", "python_until_killed"):
        monkeypatch.setattr(forward, name, lambda *words: ran.append(list(words)))
    Program(namespace=tasks.namespace).run(["invoke", *shlex.split(typed)], exit=False)
    assert ran == [["animals", *shlex.split(command)]]


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("load-test --users 20 --bucket b --html", "profiling.serving.load_test --users=20 --bucket=b --html"),
        (
            "cost --trainings 8 --feedback=0.1 --assume a.toml",
            "profiling.cost --assume=a.toml --feedback=0.1 --trainings=8",
        ),
    ],
)
def test_a_benchmark_gets_what_was_given(typed: str, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(forward, "python", lambda *words: ran.append(list(words)))
    Program(namespace=tasks.namespace).run(["invoke", *shlex.split(typed)], exit=False)
    assert len(ran) == 1
    assert sorted(ran[0]) == sorted(shlex.split(command))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["trian"], 1, "No idea what 'trian' is!\n"),
        (["train", "--epoch", "3"], 1, "No idea what '--epoch' is!\n"),
        (["train", "--args", "optimizer.lrr=1"], 2, "error: There is no setting optimizer.lrr. Did you mean lr?\n"),
        (["train", "--args", "'a"], 2, "a quotation mark without its other one"),
        (["publish", "no-such-run"], 2, "error: no-such-run holds no finished run"),
        (["serve", "--port", "99999"], 2, "Invalid value for '--port'"),
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
from tasking.shell import run
try:
    run(sys.executable, "-c", {saving!r})
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
    assert changelog_section("0.2.0", CHANGELOG) == "### Added\n- Cats, see [how](docs/how.md).\n\n### Fixed\n- Dogs.\n"
    assert changelog_section("0.1.0", CHANGELOG) == "First.\n"


@pytest.mark.parametrize("version", ["0.3.0", "0.2", "0x2.0", "Unreleased"])
def test_a_version_of_which_the_changelog_says_nothing_is_not_changelog_section(version: str) -> None:
    with pytest.raises(Exit) as ended:
        changelog_section(version, CHANGELOG)
    assert ended.value.code == 1
    assert f"has nothing under `## [{version}] - YYYY-MM-DD`" in str(ended.value)


def test_a_version_whose_section_is_empty_is_not_changelog_section() -> None:
    with pytest.raises(Exit, match="has nothing under"):
        changelog_section("0.4.0", CHANGELOG.replace("## [0.2.0]", "## [0.4.0] - 2026-12-01\n\n## [0.2.0]"))


def test_the_changelog_has_a_section_for_what_comes() -> None:
    sections = [line for line in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").splitlines() if line[:3] == "## "]
    assert sections[0] == "## [Unreleased]"


def test_only_the_version_of_the_package_is_changelog_section() -> None:
    done = invoke("release-notes", "99.0")
    assert done.returncode == 1
    assert "not 99.0: change it there, or tag v" in done.stderr


def test_a_check_that_is_none_is_told_with_those_that_are() -> None:
    done = invoke("lint", "--only", "spelling")
    assert done.returncode == 2
    assert "There is no check spelling. There are: style, form, phrases, types" in done.stderr
