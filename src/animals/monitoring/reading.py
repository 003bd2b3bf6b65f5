"""Reads many small objects of a bucket at once: most of the time one would wait for the network."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

THREADS: Final = 8
"""As many connections as Google's client keeps open are ten."""


def in_threads(job: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What the job gives for each item, in their order; its first error ends the rest."""
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            yield from pool.map(job, items)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
