"""The command line: what it lists, how quickly, and that each command's options can be read."""

import os
import subprocess
import sys

import pytest

from animals.commands import app, command_groups
from tests.support.command import run

COMMANDS = {name: command for commands in command_groups().values() for name, command in commands.items()}


def animals(*words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "animals", *words]
    variables = {**os.environ, **environment}
    return subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", check=False)


def test_help_lists_every_command_under_its_heading() -> None:
    done = animals("--help", COLUMNS="100")
    assert done.returncode == 0, done.stderr
    sections = dict(section.split(":\n", 1) for section in done.stdout.strip().split("\n\n")[2:])
    for heading, commands in command_groups().items():
        assert [line.split()[0] for line in sections[heading].splitlines()] == list(commands)


def test_help_imports_nothing_slow() -> None:
    slow = (
        "rich",
        "pydantic",
        "numpy",
        "PIL",
        "hydra",
        "omegaconf",
        "torch",
        "requests",
        "google.cloud.storage",
        "asyncio",
    )
    code = (
        "import sys; from animals.__main__ import main; sys.argv[1:] = ['--help']\n"
        f"try: main()\nfinally: print([name for name in {slow} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=False)
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


@pytest.mark.parametrize("name", [*COMMANDS, "cluster"])
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(name, "--help")
    assert f"Usage: animals {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_begins_with_a_short_sentence_and_ends_with_an_example(name: str) -> None:
    first, *_, last = str(COMMANDS[name].help).splitlines()
    assert len(first) <= 60, "a line of `invoke --list` has 80 columns"
    assert first.endswith(".")
    assert last.startswith(f"For example: animals {name}")
    assert all(getattr(parameter, "help", None) for parameter in COMMANDS[name].params)


@pytest.mark.parametrize(
    ("words", "suggestions"),
    [
        ("animals pro", {"profile", "promote"}),
        ("animals sweep --tr", {"--trials"}),
        ("animals classify --engine r", {"ray"}),
    ],
)
def test_a_shell_completes_commands_options_and_choices(words: str, suggestions: set[str]) -> None:
    position = str(len(words.split()) - 1)
    done = animals(_ANIMALS_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    assert set(done.stdout.split()) == suggestions, done.stderr


def test_a_misspelt_command_is_named_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("trian")
    assert "No such command 'trian'. Did you mean 'train'?" in capsys.readouterr().err


def test_an_error_of_a_command_is_one_sentence_and_ctrl_c_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run("publish", "no-such-run")
    assert capsys.readouterr().err.startswith("error: no-such-run holds no finished run")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("animals.training.release.publish.publish", interrupted)
    with pytest.raises(SystemExit, match="130"):
        app(["publish", "no-such-run"])
