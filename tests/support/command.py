"""Commands of `animals`, run in this process."""

from animals.commands import app


def run(*words: str) -> None:
    """Run a command as if it was typed.

    Raises:
        SystemExit: it failed, with its exit code.
    """
    try:
        app(list(words), prog_name="animals")
    except SystemExit as end:
        if end.code:
            raise
