"""How every command of this package ends: a sentence and an exit code, or the traceback when asked for it."""

import contextlib
import os
import sys
from collections.abc import Iterator

from animals.errors import AnimalsError


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
