"""Several workers of one sweep, as processes of this command.

Each holds one end of a pipe, and takes its closing as the sign to end: so workers also end when the command that
started them is killed.
"""

import io
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final

from animals.cli import exit_on_error
from animals.cpus import available_cpus
from animals.errors import AnimalsError
from animals.training.sweep.study import Sweep, opened
from animals.training.sweep.work import say_what_happens, work

PATIENCE: Final = 60.0
"""Seconds that a worker has to finish its step and its files."""


@dataclass(frozen=True, slots=True)
class _Worker:
    process: BaseProcess
    pipe: Connection


def work_in_processes(sweep: Sweep, workers: int) -> None:
    """Run trials in several processes until the sweep has all of them, or one of the processes ends with an error.

    Raises:
        SystemExit: a worker ended with an error, which it has said, and this exit code.
        AnimalsError: a worker was killed; the others have done what was left.
        KeyboardInterrupt: Ctrl-C; the workers have ended, their trials are queued again.
    """
    with opened(sweep):
        pass  # if it was started with something else, this is said once and not by each worker
    threads = max(1, available_cpus() // workers)
    with _no_interrupt():
        started = [_start(sweep, threads, f"worker {number + 1}") for number in range(workers)]
    try:
        _wait(started)
    finally:
        _stop(started)
    codes = [worker.process.exitcode or 0 for worker in started]
    if failed := [code for code in codes if code > 0]:
        raise SystemExit(min(failed))  # those that were stopped for its sake ended with 130
    if killed := min(codes):
        raise AnimalsError(
            f"A worker was killed (signal {-killed}), for lack of memory as a rule. What was done stays; "
            "go on with the same command and fewer --workers."
        )


def _start(sweep: Sweep, threads: int, name: str) -> _Worker:
    context = multiprocessing.get_context("spawn")
    reader, writer = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sweep, reader, threads), name=name)
    process.start()
    reader.close()
    return _Worker(process, writer)


def _run(sweep: Sweep, pipe: Connection, threads: int) -> None:
    """What a process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the command passes it on in order
    sys.stderr = _NoTerminal(open(2, "wb", closefd=False), line_buffering=True)  # noqa: SIM115 - for its life
    say_what_happens()
    with exit_on_error():
        import torch

        torch.set_num_threads(threads)
        work(sweep, lambda: _closed(pipe))


class _NoTerminal(io.TextIOWrapper):
    """A terminal that several write lines to, so that nobody draws a progress bar on it."""

    def isatty(self) -> bool:
        return False


def _closed(pipe: Connection) -> bool:
    try:
        return pipe.poll()
    except OSError:  # on Windows
        return True


def _wait(workers: list[_Worker]) -> None:
    """Wait until all have ended, or one with an error."""
    processes = [worker.process for worker in workers]
    while running := [process for process in processes if process.is_alive()]:
        wait([process.sentinel for process in running])
        if any((process.exitcode or 0) > 0 for process in processes):
            return


def _stop(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
    for worker in workers:
        worker.process.join(PATIENCE)
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """What is started within ignores Ctrl-C from its first moment on, where the system hands that down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
