"""Errors keep their message and exit code."""

import pickle

import pytest

from animals import errors
from animals.errors import AnimalsError, ConfigError, DataError, Interrupted, NoModel

ERRORS = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, AnimalsError)]


@pytest.mark.parametrize(("error", "code"), [(NoModel, 1), (ConfigError, 2), (DataError, 2), (Interrupted, 130)])
def test_an_error_ends_a_command_with_its_exit_code(error: type[AnimalsError], code: int) -> None:
    assert error.exit_code == code


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_keeps_its_message_between_processes(error: type[AnimalsError]) -> None:
    copy = pickle.loads(pickle.dumps(error("what happened")))  # noqa: S301 - our own bytes
    assert type(copy) is error
    assert str(copy) == "what happened"
