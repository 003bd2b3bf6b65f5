"""`animals classify`: find the pictures, classify those that have no prediction yet, and write the table."""

import sys
import time
from collections.abc import Iterable, Sequence
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
"""Pictures that a worker gets at once: some tenths of a second of work, which Ctrl-C waits for."""

REMOTE_CHUNK: Final = 64
"""The same for pictures in a bucket: a worker waits for the first of each chunk."""

SAVE_SECONDS: Final = 10.0
"""Time between two part files; a power cut loses no more."""


def classify(sources: Sequence[str], out: Path, *, version: str, workers: int | None, engine: str) -> None:
    """Write a table with a row for each picture; pictures that have a prediction in it already are skipped.

    Version `current` is the one that serves. Without a number of workers there is one for each CPU.
    """
    settings = read_settings(BackendSettings)
    storage = open_storage(settings.bucket)
    card = registry.read_card(storage, registry.read_current(storage).version if version == "current" else version)
    model = Model(settings.bucket, card.version, settings.max_pixels)
    names = find_pictures(sources)
    started = time.perf_counter()
    with Predictions(out, card) as predictions:
        new = [name for name in names if printable(name) not in predictions.done]
        chunks = _chunks(new)
        results = ENGINES[engine](chunks, model, workers) if chunks else []
        try:
            _save(results, predictions, skipped=len(names) - len(new), total=len(names))
        except KeyboardInterrupt as interrupt:
            raise Interrupted(
                f"Interrupted. Finished parts are in {out}.parts; the same command resumes."
            ) from interrupt
        seconds = time.perf_counter() - started
        without = predictions.finish()
    speed = f", {len(new) / seconds:.1f} a second" if new else ""
    problems = f" Without a prediction: {without:,}; the column `problem` says why." if without else ""
    sys.stdout.write(f"{out}: {len(names):,} pictures by {card.version}, {len(new):,} of them now{speed}.{problems}\n")


def _chunks(names: Sequence[str]) -> list[tuple[str, ...]]:
    size = REMOTE_CHUNK if any(name.startswith(REMOTE) for name in names) else CHUNK
    return [tuple(names[first : first + size]) for first in range(0, len(names), size)]


def _save(results: Iterable[list[Row]], predictions: Predictions, *, skipped: int, total: int) -> None:
    """Write rows to a part file every few seconds, and the last of them after an error too; show the progress."""
    unsaved: list[Row] = []
    saved = time.monotonic()
    with progress_bar() as progress:
        task = progress.add_task("Classifying pictures", total=total, completed=skipped)
        try:
            for rows in results:
                unsaved += rows
                progress.advance(task, len(rows))
                if time.monotonic() - saved > SAVE_SECONDS:
                    predictions.add(unsaved)
                    unsaved, saved = [], time.monotonic()
        finally:
            if unsaved:
                predictions.add(unsaved)
