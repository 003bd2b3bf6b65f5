"""The options that all benchmarks of serving have, and what follows from them: a published model and pictures."""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import in_own_process
from serving_model import Setup, prepare, write_pictures

from animals.errors import UsageError


def add_options(parser: argparse.ArgumentParser, out: Path) -> None:
    """What is served and asked, and where the report goes."""
    parser.add_argument("--pictures", type=Path, help="folder of JPEG photographs [pictures are drawn]")
    parser.add_argument("--model", default="resnet18", help="of timm [resnet18]")
    parser.add_argument("--side", type=int, default=224, help="of its pictures [224]")
    parser.add_argument("--keep", type=Path, help="folder that keeps model and pictures for the next time [none]")
    parser.add_argument("--out", type=Path, default=out, help=f"the report [{out}]")


@contextmanager
def published(arguments: argparse.Namespace) -> Iterator[Setup]:
    """Model and pictures, made in a process of its own unless a folder has kept them.

    Raises:
        UsageError: the folder of photographs has none.
    """
    with _setup(arguments) as setup:
        if not setup.answers.is_file():
            in_own_process(prepare, setup)
        yield setup


@contextmanager
def drawn(arguments: argparse.Namespace) -> Iterator[Setup]:
    """Pictures alone, for a backend that has a model.

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
