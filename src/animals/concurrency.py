"""Run a function over many items in processes or threads, with bounded memory."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

Item = TypeVar("Item")
Result = TypeVar("Result")


THREADS: Final = 8
"""Default number of threads. Google's storage client keeps at most ten connections open."""


def progress_bar() -> "Progress":
    """Return a progress bar on stderr: shown at a terminal, silent in a log file, erased when it is done."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    return Progress(console=console, transient=True, disable=not console.is_terminal)


def in_processes(
    job: Callable[[Item], Result], items: Sequence[Item], *, workers: int
) -> Iterator[tuple[Item, Result]]:
    """Run `job` on each item in processes, and yield pairs of item and result as they finish, in any order.

    After an error or Ctrl-C, items in progress are finished, no others are started, and the error is raised.

    Args:
        job: a function that can be pickled, from a module that is quick to import.
        items: picklable; each should be some tenths of a second of work.
        workers: number of processes; with 0 or 1 the work is done in this process. With more, a script that calls
            this needs the usual `if __name__ == "__main__":`.
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


def in_threads(
    job: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS
) -> Iterator[tuple[Item, Result]]:
    """Run `job` on each item in threads, and yield pairs of item and result in the order of the items.

    At most two items a thread are in memory. The first error is raised and cancels what has not begun.
    """
    waiting: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append((item, pool.submit(job, item)))
                if len(waiting) == 2 * threads:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for item, future in waiting:
                yield item, future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _done(waiting: dict[Future[Result], Item]) -> Iterator[tuple[Item, Result]]:
    """Wait for the next, and take what is done by then."""
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield waiting.pop(future), future.result()


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the first of them decides
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker when the process that started it was killed; it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
