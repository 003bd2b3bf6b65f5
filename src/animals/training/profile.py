"""`animals profile [OVERRIDE]...`: measure where the time of a training goes.

Writes into `runs/profiles/<time>-<name>/`:

```
trace.json         a timeline of all operators; open it on https://ui.perfetto.dev or chrome://tracing
top_operators.md   the operators that took the most time
```
"""

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animals.config.training import TrainConfig
from animals.markdown import table

if TYPE_CHECKING:
    from animals.training.step_timing import Operator, Timing

FOLDER: Final = Path("runs", "profiles")
TRACE: Final = "trace.json"
TABLE: Final = "top_operators.md"

WARMUP: Final = 3
"""Steps before the measurement: the first ones choose algorithms and allocate memory."""

IN_FILE: Final = 20
"""Operators in the file."""

ON_TERMINAL: Final = 8
"""Operators on the terminal."""


def profile(config: TrainConfig, steps: int) -> str:
    """Time some steps of a training, profile as many more, write a trace and a table, and return a summary.

    Raises:
        AnimalsError: whatever prevents a training.
    """
    # read when torch is imported: the profiler would warn on a machine without a GPU
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
    report = tables(profiler.operators, steps, IN_FILE)
    (folder / TABLE).write_text(f"# Where the time goes\n\n{head}\n\n{report}", encoding="utf-8")
    return f"{head}\n\n{tables(profiler.operators, steps, ON_TERMINAL)}\nMore in {folder}\n"


def headline(config: TrainConfig, timing: "Timing") -> str:
    """Return the speed of the steps without the profiler, which slows them down."""
    batch, step = config.trainer.batch_size, timing.seconds / timing.steps
    return (
        f"{config.model.name} at {config.data.side} pixels in batches of {batch}: {1000 * step:.1f} ms a step, "
        f"{batch / step:.1f} pictures a second, {timing.waiting / timing.seconds:.1%} of the time waiting for data"
    )


def tables(operators: Sequence["Operator"], steps: int, limit: int) -> str:
    """Return Markdown tables of the operators with the most time of their own, on the CPU and, if used, on the GPU."""
    parts = [_table("CPU", operators, lambda operator: operator.cpu, steps, limit)]
    if any(operator.gpu for operator in operators):
        parts.append(_table("GPU", operators, lambda operator: operator.gpu, steps, limit))
    return "\n".join(parts)


def _table(
    device: str, operators: Sequence["Operator"], time: Callable[["Operator"], float], steps: int, limit: int
) -> str:
    total = sum(map(time, operators))
    rows = [
        (it.name, f"{it.calls / steps:.0f}", f"{1000 * time(it) / steps:.2f}", f"{time(it) / total:.1%}")
        for it in sorted(operators, key=time, reverse=True)[:limit]
        if time(it)
    ]
    return table((device, "calls a step", "ms a step", "share"), rows) + "\n"
