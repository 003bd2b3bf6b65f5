"""Work is handed out to processes and comes back whole, whatever their number."""

import os
import threading
import time

import pytest

from animals.concurrency import THREADS, in_processes, in_threads


def square(number: int) -> tuple[int, int]:
    if number < 0:
        raise ValueError("negative")
    return number * number, os.getpid()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_every_item_is_done_once(workers: int) -> None:
    done = {item: result for item, (result, _) in in_processes(square, range(10), workers=workers)}
    assert done == {number: number * number for number in range(10)}


def test_two_workers_are_two_other_processes() -> None:
    pids = {pid for _, (_, pid) in in_processes(square, range(200), workers=2)}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


def test_one_worker_is_this_process() -> None:
    assert {pid for _, (_, pid) in in_processes(square, range(3), workers=1)} == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_is_raised_here(workers: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        list(in_processes(square, [1, -1, 2], workers=workers))


def test_as_many_threads_as_allowed_run_at_once_and_results_keep_the_order() -> None:
    together = threading.Barrier(THREADS, timeout=60)
    assert [item for item, _ in in_threads(lambda _: together.wait(), range(2 * THREADS))] == list(range(2 * THREADS))


def test_at_most_two_items_a_thread_are_in_memory() -> None:
    begun: list[int] = []
    results = in_threads(begun.append, range(1000))
    next(results)
    time.sleep(0.1)
    assert len(begun) <= 2 * THREADS
    results.close()  # type: ignore[attr-defined]
