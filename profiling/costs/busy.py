"""How long instances are busy when visitors come by chance."""

import math
from typing import Final

MONTH: Final = 30
"""Days."""

DAY: Final = 86_400.0
"""Seconds."""

STEP: Final = 0.1
"""Seconds up to which Cloud Run rounds."""


def rounded(seconds: float) -> float:
    """As Cloud Run counts them."""
    return math.ceil(round(seconds / STEP, 9)) * STEP


def instance_seconds(visits: float, seconds: float, *, at_once: float, hours: float) -> float:
    """Seconds for which instances are busy, all of them together, in a month.

    Visits that come by chance overlap: so many are there at a moment as Poisson's distribution says, with the mean
    that follows from how many come and how long they stay. A visit alone keeps one instance busy, as many as fit at
    once keep it no busier, one more takes a second instance.

    Args:
        visits: in a month.
        seconds: that each stays.
        at_once: visits that one instance takes.
        hours: of each day in which all of them come, evenly.
    """
    open_seconds = MONTH * DAY * hours / 24
    mean = visits * seconds / open_seconds
    return open_seconds * mean_instances(mean, max(1, int(at_once)))


def mean_instances(mean: float, at_once: int) -> float:
    """The expected number of instances for a Poisson number of visits: of `ceil(visits / at_once)`.

    Where thousands are there at once, the last instance is half full in the mean.
    """
    if mean > 10_000:
        return mean / at_once + 0.5
    expected, probability, below = 0.0, math.exp(-mean) if mean < 700 else 0.0, 0.0
    last = int(mean + 12 * math.sqrt(mean + 1) + 12)
    for count in range(last + 1):
        if mean >= 700:
            probability = math.exp(-mean + count * math.log(mean) - math.lgamma(count + 1))
        elif count:
            probability *= mean / count
        below += probability
        if count % at_once == 0:
            expected += max(0.0, 1 - below)  # at least one more instance than `count / at_once`
    return expected


def alone(visits: float, gap: float, *, hours: float) -> float:
    """Visits in a month before which nobody came for so many seconds."""
    return visits * math.exp(-visits * gap / (MONTH * DAY * hours / 24))


def windows(visits: float, seconds: float, *, hours: float) -> float:
    """How many of a month's stretches of so many seconds have a visit in them."""
    there = MONTH * DAY * hours / 24 / seconds
    return there * -math.expm1(-visits / there)
