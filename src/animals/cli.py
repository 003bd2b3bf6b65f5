"""Output of the commands: log lines on stderr, and errors as a sentence with an exit code."""

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Iterator

from animals.errors import AnimalsError, UsageError


@contextlib.contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn an AnimalsError into one message on stderr and the error's exit code.

    With `ANIMALS_DEBUG=1` its traceback is shown instead. Any other exception is a bug and passes.

    Raises:
        SystemExit: with the error's exit code, or 130 after Ctrl-C.
    """
    try:
        yield
    except AnimalsError as error:
        if os.environ.get("ANIMALS_DEBUG") == "1":
            raise
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(error.exit_code) from error
    except KeyboardInterrupt as interrupt:
        sys.stderr.write("\ninterrupted\n")
        raise SystemExit(130) from interrupt


def split_words(text: str) -> list[str]:
    """Split typed text as a shell does, except that on Windows backslashes are kept: they are in its paths.

    Raises:
        UsageError: a quotation mark is not closed.
    """
    escaped = text.replace("\\", "\\\\") if sys.platform == "win32" else text
    try:
        return shlex.split(escaped)
    except ValueError as error:
        raise UsageError(f"{text} has a quotation mark without its other one.") from error


def split_commas(text: str) -> list[str]:
    """Return the parts between commas, without blanks around them and without empty ones."""
    return [stripped for part in text.split(",") if (stripped := part.strip())]


class StderrHandler(logging.Handler):
    """A log handler for the current `sys.stderr`, which a progress bar replaces to print lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        sys.stderr.write(self.format(record) + "\n")
