"""The ten animals are one data set's description, which little else may know."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from animals.animals10 import ANIMALS10_FOLDERS, ANIMALS10_LABELS

PACKAGE = Path(__file__).parents[1] / "src/animals"

MAY_KNOW = {
    "labels.py",
    "cloud/smoke.py",  # asks about one of the page's example pictures, whatever it shows
    "config/training.py",  # the settings of the two data sets
    "data/__main__.py",  # shows folders under their labels
    "data/sample/make.py",  # makes pictures of them
    "data/sample/picture.py",
}


def test_the_order_of_the_models_outputs_never_changes() -> None:
    assert ANIMALS10_LABELS == (
        "butterfly",
        "cat",
        "chicken",
        "cow",
        "dog",
        "elephant",
        "horse",
        "sheep",
        "spider",
        "squirrel",
    )


def test_each_folder_has_a_label_of_its_own() -> None:
    assert sorted(ANIMALS10_FOLDERS.values()) == list(ANIMALS10_LABELS)


def test_nothing_but_the_data_set_knows_which_labels_there_are() -> None:
    names = {path.relative_to(PACKAGE).as_posix(): path for path in PACKAGE.rglob("*.py")}
    knowing = {name for name, path in names.items() if set(named(path.read_text(encoding="utf-8")))}
    assert knowing <= MAY_KNOW


def named(source: str) -> Iterator[str]:
    """Labels and folders of Animals-10 that code names: in text that is not a docstring, or by importing them."""
    tree = ast.parse(source)
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    words = re.compile(rf"\b({'|'.join([*ANIMALS10_FOLDERS, *ANIMALS10_LABELS])})s?\b", re.IGNORECASE)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield from words.findall(node.value)
        if isinstance(node, ast.ImportFrom) and node.module == "animals.animals10":
            yield from (alias.name for alias in node.names)
