"""Commands in the guides can be typed: tasks, options and settings are those that there are."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from animals.commands import command_groups
from animals.config.compose import compose_train_config
from docs.generate.commands import Command, commands
from tests.docs.pages import GUIDES, PAGES, name
from tests.docs.pages import commands as lines_of

TASKS: Final = commands()
COMMANDS: Final = {name: command for group in command_groups().values() for name, command in group.items()}
OTHERS: Final = {"curl", "docker", "dvc", "gcloud", "gh", "git", "pip", "torchrun"}
"""Programs that are not ours."""

MADE: Final = {"better": "sample"}
"""Experiments that a guide makes itself, and another to take in their place."""


def test_there_are_commands_to_look_at() -> None:
    assert len([line for page in GUIDES for line in lines_of(page)]) > 30


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_every_command_of_a_guide_can_be_typed(page: Path, tmp_path: Path) -> None:
    for line in lines_of(page):
        try_command(without_environment(shlex.split(line, comments=True)), tmp_path)


@pytest.mark.parametrize("task", TASKS)
def test_a_tasks_example_is_of_this_task_and_can_be_typed(task: str, tmp_path: Path) -> None:
    words = shlex.split(TASKS[task].example)
    assert words[:2] in (["invoke", task], ["animals", task])
    try_command(words, tmp_path)


def without_environment(words: list[str]) -> list[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words[2:] if words[:2] == ["uv", "run"] else words


def try_command(words: list[str], folder: Path) -> None:
    match words:
        case []:
            pass
        case ["invoke", task, *rest]:
            try_task(TASKS[task], rest, folder)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module), module
        case ["animals", command, *rest]:
            COMMANDS[command].make_context(command, rest)
        case ["torchrun", *rest] if "animals" in rest:
            try_command(rest[rest.index("animals") :], folder)
            try_overrides(" ".join(rest[rest.index("train") + 1 :]), folder)
        case [program, *_]:
            assert program in OTHERS, program


def try_task(task: Command, words: list[str], folder: Path) -> None:
    """As invoke reads it: options by their name, values behind them, the rest by place."""
    known = {spelling: option for option in task.options for spelling in option.spellings}
    places = [option.word for option in task.options if option.word.isupper()]
    while words:
        word, *words = words
        option, given, value = word.partition("=")
        if not word.startswith("-"):
            places.pop(0)
            continue
        assert option in known, f"invoke {task.name} has no {option}"
        if not known[option].switch and not given:
            value, *words = words
        if option == "--args" and task.name in ("train", "data", "profile", "sweep", "demo"):
            try_overrides(value, folder)


def try_overrides(text: str, folder: Path) -> None:
    """They fit the schema; folders that only a reader has are replaced by one that is there."""
    text = re.sub(r"path/to/\w+|data/feedback|data/raw/raw-img", folder.as_posix(), text)
    for made, instead in MADE.items():
        text = text.replace(f"experiment={made}", f"experiment={instead}")
    compose_train_config(shlex.split(text))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("invoke trian", KeyError),
        ("invoke train --arg x", AssertionError),
        ("invoke promote v1 v2", IndexError),
        ("invoke train --no-args", AssertionError),
        ('invoke train --args "trainer.epoch=2"', Exception),
        ("python -m animals.no_such", AssertionError),
        ("rm -rf data", AssertionError),
    ],
)
def test_what_cannot_be_typed_is_found(line: str, problem: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(problem):
        try_command(shlex.split(line), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tasks_that_a_page_mentions_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    mentioned = re.findall(r"(?:`|uv run )invoke ([a-z][a-z-]*)", text)
    assert [task for task in mentioned if task not in TASKS] == []
