"""How many CPUs there are for us."""

import math
import os
from pathlib import Path
from typing import Final

CPU_QUOTA: Final = Path("/sys/fs/cgroup/cpu.max")  # elsewhere there is no such file, and no quota
"""Where Linux tells a container how much of the CPUs it may use."""


def available_cpus() -> int:
    """CPUs that this process may use: those it may run on, or fewer where its container has a quota."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(allowed, _quota(CPU_QUOTA) or allowed)


def _quota(file: Path) -> int | None:
    """CPUs of a quota such as "150000 100000", microseconds in each period; None without one."""
    try:
        quota, period = file.read_text(encoding="utf-8").split()
        return max(1, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):  # no such file here, or "max": no quota
        return None
