"""The machine that a benchmark runs on, and how processes are kept apart on it."""

import multiprocessing
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

Result = TypeVar("Result")


def cpu_name() -> str:
    """Return the name of the CPU."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux only; elsewhere Python knows something less precise
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def system_name() -> str:
    """Return operating system, processor family and Python."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def in_own_process(job: Callable[..., Result], *arguments: Any) -> Result:
    """Return a function's result from a new process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(job, *arguments).result()


def separate_cpus() -> tuple[set[int] | None, set[int] | None]:
    """Return one CPU for a server and the others for its clients; None and None where processes cannot be pinned."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ({allowed[0]}, set(allowed[1:])) if len(allowed) > 1 else (None, None)


@contextmanager
def pinned(cpus: set[int] | None) -> Iterator[None]:
    """Run this process on some CPUs; processes started meanwhile stay on them."""
    if cpus is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def median_and_range(values: Sequence[float | None], form: str) -> str:
    """Return the median, with the minimum and maximum in brackets."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    median, low, high = (form.format(function(known)) for function in (statistics.median, min, max))
    return median if len(known) == 1 else f"{median} ({low} to {high})"
