"""Commands in the guides can be typed: tasks, options and settings exist."""

import importlib.util
import inspect
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import ParseError
from invoke.parser import Parser

from animals.commands import command_groups
from animals.config.compose import compose_train_config
from tasks import namespace
from tests.docs.pages import GUIDES, PAGES, commands, name

COMMANDS = {name: command for group in command_groups().values() for name, command in group.items()}
EXAMPLES = {task: str(inspect.getdoc(namespace[task])).partition("For example: ")[2] for task in namespace.task_names}


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_every_command_of_a_guide_can_be_typed(page: Path, tmp_path: Path) -> None:
    for line in commands(page):
        try_command(shlex.split(line, comments=True), tmp_path)


@pytest.mark.parametrize("task", [task for task in EXAMPLES if EXAMPLES[task]])
def test_the_example_of_a_task_can_be_typed(task: str, tmp_path: Path) -> None:
    words = shlex.split(EXAMPLES[task])
    assert words[:2] in (["invoke", task], ["animals", task])
    try_command(words, tmp_path)


def try_command(words: list[str], folder: Path) -> None:
    """Parse a command of this project; ignore variables before it, and other programs."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    match words[2:] if words[:2] == ["uv", "run"] else words:
        case ["invoke", *rest]:
            for task in Parser(contexts=namespace.to_contexts()).parse_argv(rest):
                try_overrides(task, folder)
        case ["animals", command, *rest]:
            COMMANDS[command].make_context(command, rest)
        case ["torchrun", *rest] if "animals" in rest:
            try_command(rest[rest.index("animals") :], folder)
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module), module


def try_overrides(task: Any, folder: Path) -> None:
    """Compose the training settings of a task; folders and experiments that a reader makes are replaced."""
    if task.name in ("train", "data", "profile", "sweep", "demo") and task.args.args.value:
        text = re.sub(r"path/to/\w+|data/feedback|data/raw/raw-img", folder.as_posix(), task.args.args.value)
        compose_train_config(shlex.split(text.replace("experiment=better", "experiment=sample")))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("invoke trian", ParseError),
        ("invoke train --arg x", ParseError),
        ('invoke train --args "trainer.epoch=2"', Exception),
        ("python -m animals.no_such", AssertionError),
    ],
)
def test_what_cannot_be_typed_is_found(line: str, problem: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(problem):
        try_command(shlex.split(line), tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_tasks_and_modules_that_a_page_mentions_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    tasks = set(re.findall(r"(?:`|uv run )invoke ([a-z][a-z-]*)", text))
    assert tasks - set(namespace.task_names) == set()
    modules = re.findall(r"python -m ((?:animals|profiling)[\w.]*)", text)
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []
