"""The model and pictures that the options of a serving benchmark choose."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from animals.errors import UsageError
from profiling.machine import in_own_process
from profiling.serving.model import Setup, prepare, write_pictures


@contextmanager
def prepared(arguments: argparse.Namespace, *, model: bool = True) -> Iterator[Setup]:
    """Yield the model and pictures, or pictures alone; they are prepared unless an earlier run kept them."""
    if arguments.pictures and not list(arguments.pictures.rglob("*.jp*g")):
        raise UsageError(f"{arguments.pictures} has no JPEG files. Name a folder of photographs.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        setup = Setup(
            folder=(arguments.keep or Path(temporary)).absolute(),
            architecture=arguments.model,
            side=arguments.side,
            pictures=arguments.pictures,
        )
        if not model and not (setup.folder / "small").is_dir():
            write_pictures(setup)
        elif model and not setup.answers.is_file():
            in_own_process(prepare, setup)
        yield setup
