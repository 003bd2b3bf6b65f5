"""`animals profile [OVERRIDE]...`: where the time of a training goes.

Writes into `profiling/<time>-<name>/`:

```
trace.json         every operator on a line of time; open it on https://ui.perfetto.dev or chrome://tracing
top_operators.md   the operators that took most
```
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animals.config.training import TrainConfig

if TYPE_CHECKING:
    from animals.training.step_timing import Operator, Timing

FOLDER: Final = Path("profiling")
TRACE: Final = "trace.json"
TABLE: Final = "top_operators.md"

WARMUP: Final = 3
"""Steps before anything is measured: the first ones choose algorithms and allocate memory."""

KEPT: Final = 20
"""Operators in the file."""

SHOWN: Final = 8
"""Operators on the terminal."""


def profile(config: TrainConfig, steps: int) -> str:
    """Watch a training for some steps, write what was seen, and say the most important.

    Raises:
        AnimalsError: whatever stands in the way of a training.
    """
    # read when torch is imported: the profiler would complain on a machine without a GPU
    os.environ.setdefault("KINETO_LOG_LEVEL", "5")
    from animals.training.step_timing import (  # only now: torch takes seconds to import
        StepClock,
        StepProfiler,
        run_steps,
    )

    folder = FOLDER / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{config.name}"
    folder.mkdir(parents=True, exist_ok=True)
    clock = StepClock(warmup=WARMUP, steps=steps, stop=False)
    profiler = StepProfiler(clock, steps=steps, trace=folder / TRACE)
    run_steps(config, clock, profiler)
    head = headline(config, clock.timing)
    report = tables(profiler.operators, steps, KEPT)
    (folder / TABLE).write_text(f"# Where the time goes\n\n{head}\n\n{report}", encoding="utf-8")
    return f"{head}\n\n{tables(profiler.operators, steps, SHOWN)}\nMore in {folder}\n"


def headline(config: TrainConfig, timing: "Timing") -> str:
    """How fast the steps were before the profiler, which slows them down, was on."""
    batch, step = config.trainer.batch_size, timing.seconds / timing.steps
    return (
        f"{config.model.name} at {config.data.side} pixels in batches of {batch}: {1000 * step:.1f} ms a step, "
        f"{batch / step:.1f} pictures a second, {timing.waiting / timing.seconds:.1%} of the time waiting for data"
    )


def tables(operators: Sequence["Operator"], steps: int, most: int) -> str:
    """The operators that took most time themselves, on the CPU and, where one was used, on the GPU."""
    parts = [_table("CPU", operators, lambda it: it.cpu, steps, most)]
    if any(it.gpu for it in operators):
        parts.append(_table("GPU", operators, lambda it: it.gpu, steps, most))
    return "\n".join(parts)


def _table(
    device: str, operators: Sequence["Operator"], time: Callable[["Operator"], float], steps: int, most: int
) -> str:
    everything = sum(map(time, operators))
    rows = [
        f"| {it.name} | {it.calls / steps:.0f} | {1000 * time(it) / steps:.2f} | {time(it) / everything:.1%} |"
        for it in sorted(operators, key=time, reverse=True)[:most]
        if time(it)
    ]
    return "\n".join([f"| {device} | calls a step | ms a step | share |", "|---|---:|---:|---:|", *rows, ""])
