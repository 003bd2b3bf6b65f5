import pickle
import re

import pytest

from animals import errors
from animals.errors import AnimalsError, UsageError

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


def test_only_what_the_caller_asked_wrongly_has_exit_code_2() -> None:
    assert {error.exit_code for error in ERRORS if issubclass(error, UsageError)} == {2}
    assert {error.exit_code for error in ERRORS if not issubclass(error, UsageError)} == {1}


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_keeps_its_message_between_processes(error: type[AnimalsError]) -> None:
    copy = pickle.loads(pickle.dumps(error("what happened")))  # noqa: S301 - our own bytes
    assert type(copy) is error
    assert str(copy) == "what happened"
