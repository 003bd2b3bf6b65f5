"""Hand out work to processes, one for each CPU."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")


def progress_bar() -> Progress:
    """A bar on stderr where a person can see it, and nothing in a log file; it vanishes when it is done."""
    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def in_processes(
    job: Callable[[Item], Result], items: Sequence[Item], *, workers: int
) -> Iterator[tuple[Item, Result]]:
    """Do a job for each item, and yield item and result as they get done, in any order.

    After an error or Ctrl-C the items that are begun are finished, no others are started, and the error is raised.

    Args:
        job: may be pickled, as the items may; its module should be quick to import.
        items: each worth a process's while: some tenths of a second of work.
        workers: processes; 0 or 1 for none but this one. With more, a script that calls this needs the usual
            `if __name__ == "__main__":`.
    """
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield item, job(item)
        return
    # spawn, not fork: the same on every system, and safe beside the threads of torch
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(items)), mp_context=context, initializer=_start_worker)
    waiting: dict[Future[Result], Item] = {}
    try:
        for item in items:
            waiting[pool.submit(job, item)] = item
            if len(waiting) >= 3 * workers:  # enough to keep all of them busy; millions would fill the memory
                yield from _done(waiting)
        while waiting:
            yield from _done(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _done(waiting: dict[Future[Result], Item]) -> Iterator[tuple[Item, Result]]:
    """Wait for the next, and take what is done by then."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first of them decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A pool's workers would wait for ever for work from a process that was killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
