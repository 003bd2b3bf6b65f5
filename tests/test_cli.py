"""Every command ends with a sentence and an exit code."""

import logging
import sys

import pytest

from animals.cli import StderrHandler, exit_on_error, split_words
from animals.errors import ConfigError, StorageUnavailable, UsageError


@pytest.mark.parametrize(("error", "code"), [(ConfigError("Wrong."), 2), (StorageUnavailable("Away."), 1)])
def test_an_error_is_one_line_and_its_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANIMALS_DEBUG", raising=False)
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise error
    assert caught.value.code == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_with_animals_debug_the_error_itself_comes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_DEBUG", "1")
    with pytest.raises(ConfigError), exit_on_error():
        raise ConfigError("Wrong.")


def test_a_fault_of_the_program_is_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), exit_on_error():
        _ = 1 / 0


def test_ctrl_c_ends_with_130() -> None:
    with pytest.raises(SystemExit) as caught, exit_on_error():
        raise KeyboardInterrupt
    assert caught.value.code == 130


def test_log_lines_go_to_what_stderr_is_when_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    handler = StderrHandler()
    handler.emit(logging.LogRecord("name", logging.INFO, "file", 1, "a line", None, None))
    assert capsys.readouterr().err == "a line\n"


def test_what_is_typed_is_split_as_by_a_shell_and_windows_keeps_its_backslashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = r'data.root=C:\my\pictures "data.labels=[a, b]"'
    monkeypatch.setattr(sys, "platform", "win32")
    assert split_words(typed) == [r"data.root=C:\my\pictures", "data.labels=[a, b]"]
    monkeypatch.setattr(sys, "platform", "linux")
    assert split_words(typed) == ["data.root=C:mypictures", "data.labels=[a, b]"]
    with pytest.raises(UsageError, match="without its other one"):
        split_words('"a')
