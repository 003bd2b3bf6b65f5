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
def published(arguments: argparse.Namespace) -> Iterator[Setup]:
    """Yield the model and pictures, prepared in a process of its own unless an earlier run kept them.

    Raises:
        UsageError: the folder of photographs has none.
    """
    with _setup(arguments) as setup:
        if not setup.answers.is_file():
            in_own_process(prepare, setup)
        yield setup


@contextmanager
def pictures_only(arguments: argparse.Namespace) -> Iterator[Setup]:
    """Yield pictures alone, for a backend that has a model.

    Raises:
        UsageError: the folder of photographs has none.
    """
    with _setup(arguments) as setup:
        if not (setup.folder / "small").is_dir():
            write_pictures(setup)
        yield setup


@contextmanager
def _setup(arguments: argparse.Namespace) -> Iterator[Setup]:
    if arguments.pictures and not list(arguments.pictures.rglob("*.jp*g")):
        raise UsageError(f"{arguments.pictures} has no JPEG files. Name a folder of photographs.")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        setup = Setup(
            folder=(arguments.keep or Path(temporary)).absolute(),
            architecture=arguments.model,
            side=arguments.side,
            pictures=arguments.pictures,
        )
        yield setup
