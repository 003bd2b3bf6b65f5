"""What a benchmark runs on, and how it keeps its parts from disturbing each other."""

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
    """As the system calls it."""
    known = Path("/proc/cpuinfo")  # where it is not, Python is asked
    lines = known.read_text(encoding="utf-8").splitlines() if known.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def system_name() -> str:
    """Operating system, processor family and Python."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def in_own_process(job: Callable[..., Result], *arguments: Any) -> Result:
    """What a function gives in a process that is started for it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(job, *arguments).result()


def two_sides() -> tuple[set[int], set[int]] | None:
    """One CPU for what is measured, and the others for what measures; None where the system cannot keep them apart."""
    allowed = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ({allowed[0]}, set(allowed[1:])) if len(allowed) > 1 else None


@contextmanager
def confined(cpus: set[int] | None) -> Iterator[None]:
    """Run on these CPUs; a process that is started meanwhile inherits them and keeps them."""
    if cpus is None or sys.platform != "linux":
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def spread(values: Sequence[float | None], form: str) -> str:
    """The median, with the least and the most in brackets."""
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    middle, low, high = (form.format(pick(known)) for pick in (statistics.median, min, max))
    return middle if len(known) == 1 else f"{middle} ({low} to {high})"
