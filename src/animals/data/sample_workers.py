"""Paint many sample pictures on all cores, with a progress bar where somebody can see it."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import Progress

from animals.data.decode import available_cpus
from animals.data.sample_picture import SamplePicture

CHUNK: Final = 16
"""Pictures that a worker takes at once: a quarter of a second, so that Ctrl-C is prompt."""

WORTH_A_WORKER: Final = 64
"""Pictures that take about as long as starting one more process."""

_Chunk = Sequence[SamplePicture]


def paint_all(root: Path, pictures: _Chunk, workers: int | None) -> None:
    """Write pictures under a root whose label folders are there.

    Args:
        root: of the set.
        pictures: each is written whole or, if this is cut off, not at all.
        workers: processes; 1 for none but this one, None for what is fastest.
    """
    chunks = [pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("Composing sample pictures", total=len(pictures))
        count = _fastest(len(pictures)) if workers is None else workers
        paint = _paint_here if count == 1 else partial(_paint_in_pool, count)
        paint(root, chunks, lambda done: progress.advance(task, done))


def _fastest(pictures: int) -> int:
    return max(1, min(available_cpus(), pictures // WORTH_A_WORKER))


def _paint_here(root: Path, chunks: Sequence[_Chunk], advance: Callable[[int], None]) -> None:
    for chunk in chunks:
        advance(_paint_chunk(root, chunk))


def _paint_in_pool(workers: int, root: Path, chunks: Sequence[_Chunk], advance: Callable[[int], None]) -> None:
    # spawn, not fork: the same on every system, and safe beside the threads of torch
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        for future in as_completed([pool.submit(_paint_chunk, root, chunk) for chunk in chunks]):
            advance(future.result())
    finally:
        # after an error or Ctrl-C: finish the chunks that are begun, start no others
        pool.shutdown(cancel_futures=True)


def _paint_chunk(root: Path, chunk: _Chunk) -> int:
    for picture in chunk:
        picture.paint_into(root)
    return len(chunk)


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first of them decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers would wait for ever for work from a process that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
