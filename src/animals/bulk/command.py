"""`animals classify`: find the pictures, classify those that are not done, write the table."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from animals import registry
from animals.bulk.engines import ENGINES
from animals.bulk.sources import find_pictures
from animals.bulk.table import Predictions
from animals.bulk.work import REMOTE, Model, Row, printable
from animals.concurrency import progress_bar
from animals.config.settings import read_settings
from animals.errors import Interrupted
from animals.serving.settings import BackendSettings
from animals.storage import open_storage

CHUNK: Final = 16
"""Pictures that a worker takes at once: some tenths of a second's work, which Ctrl-C waits for."""

REMOTE_CHUNK: Final = 64
"""The same where they come from a bucket: the first of each chunk is waited for."""

KEEP_SECONDS: Final = 10.0
"""After which rows are written to a part file; a power cut loses no more."""


def classify(sources: Sequence[str], out: str, *, version: str | None, workers: int | None, engine: str) -> None:
    """Write a table with a row for each picture; what it holds already is not done again.

    Args:
        sources: folders, files, patterns and buckets.
        out: the Parquet file.
        version: of the model; None for the one that serves.
        workers: processes at work; None for one a CPU.
        engine: who hands out the work: a name in `ENGINES`.

    Raises:
        DataError: a source holds no pictures.
        ConfigError: `out` is something else, or has another version's predictions.
        ModelError: there is no such version, or it cannot be used.
        StorageUnavailable: a bucket or the disk cannot be used.
        Interrupted: by Ctrl-C, or because a worker was killed.
    """
    settings = read_settings(BackendSettings)
    storage = open_storage(settings.bucket)
    card = registry.read_card(storage, version or registry.read_current(storage).version)
    model = Model(settings.bucket, card.version, settings.max_pixels)
    names = find_pictures(sources)
    with Predictions(Path(out), card) as predictions:
        todo = [name for name in names if printable(name) not in predictions.done]
        size = REMOTE_CHUNK if any(name.startswith(REMOTE) for name in todo) else CHUNK
        chunks = [tuple(todo[first : first + size]) for first in range(0, len(todo), size)]
        started = time.perf_counter()
        answers = ENGINES[engine](chunks, model, workers) if chunks else []
        answered = _shown(answers, already=len(names) - len(todo), total=len(names))
        try:
            _keep(answered, predictions)
        except KeyboardInterrupt as interrupt:
            raise Interrupted(
                f"Interrupted. What is done is kept in {out}.parts; the same command goes on."
            ) from interrupt
        seconds = time.perf_counter() - started
        unreadable = predictions.finish()
    sys.stdout.write(_summary(out, card.version, len(names), len(todo), unreadable, seconds))


def _shown(rows: Iterable[list[Row]], *, already: int, total: int) -> Iterator[list[Row]]:
    """Pass rows on, with a progress bar."""
    with progress_bar() as progress:
        task = progress.add_task("Classifying pictures", total=total, completed=already)
        for some in rows:
            yield some
            progress.advance(task, len(some))


def _keep(answered: Iterable[list[Row]], predictions: Predictions) -> None:
    """Write rows to part files every few seconds, and the last of them whatever ends the work."""
    waiting: list[Row] = []
    written = time.monotonic()
    try:
        for rows in answered:
            waiting += rows
            if time.monotonic() - written > KEEP_SECONDS:
                predictions.add(waiting)
                waiting, written = [], time.monotonic()
    finally:
        if waiting:
            predictions.add(waiting)


def _summary(out: str, version: str, total: int, new: int, unreadable: int, seconds: float) -> str:
    speed = f", {new / seconds:.1f} a second" if new else ""
    problems = f" Without a prediction: {unreadable:,}; the column `problem` says why." if unreadable else ""
    return f"{out}: {total:,} pictures by {version}, {new:,} of them now{speed}.{problems}\n"
