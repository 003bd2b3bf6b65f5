import pickle
import re

import pytest

from animals import errors
from animals.errors import AnimalsError

ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AnimalsError)]


def drawn_parents(drawing: str) -> dict[str, str]:
    """Error -> parent, from the tree in the docstring."""
    parents, path = {}, ["AnimalsError"]
    for indent, name in re.findall(r"^    ([ │]*)[├└]── (\w+)", drawing, re.MULTILINE):
        depth = len(indent) // 4 + 1
        parents[name] = path[depth - 1]
        path[depth:] = [name]
    return parents


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    assert errors.__doc__ is not None
    in_code = {error.__name__: error.__bases__[0].__name__ for error in ERRORS if error is not AnimalsError}
    assert drawn_parents(errors.__doc__) == in_code


def test_an_error_ends_the_command_with_the_exit_code_in_the_docstring() -> None:
    assert errors.__doc__ is not None
    drawn = {name: int(code) for name, code in re.findall(r"(\w+) +exit code (\d+)", errors.__doc__)}
    for error in ERRORS:
        nearest = next(parent.__name__ for parent in error.__mro__ if parent.__name__ in drawn)
        assert error.exit_code == drawn[nearest], error


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_keeps_its_message_between_processes(error: type[AnimalsError]) -> None:
    copy = pickle.loads(pickle.dumps(error("what happened")))  # noqa: S301 - our own bytes
    assert type(copy) is error
    assert str(copy) == "what happened"
