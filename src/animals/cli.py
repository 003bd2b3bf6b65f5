"""How the commands of this package speak: log lines on stderr, and at the end a sentence and an exit code."""

import contextlib
import logging
import os
import shlex
import sys
from collections.abc import Iterator

from animals.errors import AnimalsError, UsageError


@contextlib.contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn an error raised on purpose into one message on stderr and the error's exit code.

    With `ANIMALS_DEBUG=1` the traceback is shown instead. Any other exception is a fault in the program and passes.

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
    """Split what a person typed as a shell does, except that on Windows backslashes stay: they are in its paths.

    Raises:
        UsageError: a quotation mark is not closed.
    """
    escaped = text.replace("\\", "\\\\") if sys.platform == "win32" else text
    try:
        return shlex.split(escaped)
    except ValueError as error:
        raise UsageError(f"{text} has a quotation mark without its other one.") from error


def split_commas(text: str) -> list[str]:
    """What stands between commas, without blanks around it."""
    return [stripped for part in text.split(",") if (stripped := part.strip())]


class StderrHandler(logging.Handler):
    """Writes to what `sys.stderr` is at the moment: a progress bar replaces it, to print lines above itself."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        sys.stderr.write(self.format(record) + "\n")
