"""The request queue: how many jobs run at once, how long it grows, and which jobs are not run."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from animals.errors import Busy, ClientGone, NotAPicture
from animals.serving.queue import MAX_BATCH
from tests.support.jobs import BrokenRunner, Client, Job, JobRunner, fail, occupied, running, sleeping

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_job_runs_beside_the_event_loop_and_its_result_is_returned() -> None:
    async with running() as (_, submit):
        assert await submit(threading.get_ident) not in (None, threading.get_ident())


@pytest.mark.parametrize("slots", [1, 3])
async def test_as_many_jobs_run_at_once_as_there_are_slots(slots: int) -> None:
    working, most, lock = 0, 0, threading.Lock()

    def job() -> None:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.01)
        with lock:
            working -= 1

    async with running(slots) as (_, submit), anyio.create_task_group() as tasks:
        for _ in range(7):
            tasks.start_soon(submit, job)
    assert most == slots


async def test_a_job_that_would_miss_the_deadline_is_rejected_with_the_time_to_wait() -> None:
    async with running(deadline=0.35, seconds=0.1) as (queue, submit):
        async with occupied(submit, 3):
            assert len(queue) == queue.capacity == 3
            with pytest.raises(Busy, match="Try again in 1 s") as refusal:
                queue.check()
            with pytest.raises(Busy):
                await submit(sleeping(0))
        assert refusal.value.wait == 1
        queue.check()
        assert len(queue) == 0


async def test_a_part_of_an_admitted_request_is_not_rejected() -> None:
    async with running(deadline=10, seconds=10) as (_, submit), occupied(submit, 2) as release:
        release.set()
        await submit(sleeping(0), admitted=True)


async def test_jobs_that_wait_much_too_long_because_of_a_wrong_estimate_are_rejected() -> None:
    async with running(deadline=0.05, seconds=0.001) as (_, submit):
        outcomes: list[bool] = []

        async def try_one() -> None:
            try:
                await submit(sleeping(0.04))
            except Busy:
                outcomes.append(False)
            else:
                outcomes.append(True)

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(try_one)
    assert len(outcomes) == 20
    assert 1 <= sum(outcomes) <= 1 + MAX_BATCH


async def test_the_job_of_a_client_that_has_disconnected_is_not_run() -> None:
    client = Client()
    ran: list[int] = []

    async def submit_and_leave() -> None:
        with pytest.raises(ClientGone):
            await submit(lambda: ran.append(1), client.request)

    async with running() as (queue, submit):
        async with anyio.create_task_group() as tasks, occupied(submit):
            tasks.start_soon(submit_and_leave)
            await anyio.wait_all_tasks_blocked()
            client.gone = True
        assert (len(queue), ran) == (0, [])


async def test_a_job_that_is_cancelled_while_it_waits_is_not_run() -> None:
    ran: list[int] = []
    async with running() as (queue, submit):
        async with occupied(submit):
            with anyio.move_on_after(0.01):
                await submit(lambda: ran.append(1))
        assert (len(queue), ran) == (0, [])


async def seconds_after(jobs: Sequence[Job], slots: int = 1) -> float:
    """The average that the queue has after some jobs; it begins with half a second."""
    async with running(slots, deadline=100, seconds=0.5 * slots) as (queue, submit):

        async def run(job: Job) -> None:
            with suppress(NotAPicture):
                await submit(job)

        async with anyio.create_task_group() as tasks:
            for job in jobs:
                tasks.start_soon(run, job)
        return queue.seconds_per_result


@pytest.mark.parametrize("slots", [1, 2])
async def test_the_average_is_measured_under_load(slots: int) -> None:
    assert await seconds_after([sleeping(0.02)] * 12, slots) == pytest.approx(0.02 / slots, rel=0.6)


async def test_a_job_alone_does_not_change_the_average() -> None:
    assert await seconds_after([sleeping(0.02)]) == 0.5


async def test_files_that_are_no_pictures_do_not_lower_the_average() -> None:
    def junk() -> None:
        raise NotAPicture("junk")

    jobs = [sleeping(0.02), *[junk] * 30, sleeping(0.02), sleeping(0.02), sleeping(0.02)]
    assert await seconds_after(jobs) > 0.015


@pytest.mark.parametrize(("jobs", "slots", "expected"), [(MAX_BATCH + 2, 1, [MAX_BATCH, 2]), (3, 2, [2, 1])])
async def test_jobs_that_wait_are_run_in_batches_that_the_slots_share(
    jobs: int, slots: int, expected: list[int]
) -> None:
    runner, results = JobRunner(0.1), []

    async def submit_number(number: int) -> None:
        results.append(await submit(lambda: number))

    async with (
        running(slots, deadline=10, runner=runner) as (_, submit),
        anyio.create_task_group() as tasks,
        occupied(submit, slots),
    ):
        for number in range(jobs):
            tasks.start_soon(submit_number, number)
        await anyio.wait_all_tasks_blocked()
    assert sorted(results) == list(range(jobs))
    assert runner.batches[:slots] == [1] * slots  # no job waits for others
    assert sorted(runner.batches[slots:], reverse=True) == expected


@pytest.mark.parametrize("runner", [JobRunner(0.1), BrokenRunner(0.1)])
async def test_an_error_is_raised_for_its_job_and_the_next_is_run(runner: JobRunner) -> None:
    async with running(runner=runner) as (_, submit):
        with pytest.raises(ZeroDivisionError):
            await submit(fail)
        assert await submit(lambda: 1) == 1


async def test_a_job_that_fails_does_not_fail_the_others_in_its_batch() -> None:
    results: list[Any] = []

    async def try_one(job: Job) -> None:
        try:
            results.append(await submit(job))
        except ZeroDivisionError:
            results.append("failed")

    async with running() as (_, submit), anyio.create_task_group() as tasks:
        for job in (sleeping(0.05), lambda: 1, fail, lambda: 3):
            tasks.start_soon(try_one, job)
    assert results == [None, 1, "failed", 3]


async def test_a_broken_connection_fails_neither_the_queue_nor_other_jobs() -> None:
    async def broken() -> Message:
        raise ZeroDivisionError

    async with running() as (_, submit):
        with pytest.raises(ZeroDivisionError):
            await submit(lambda: 1, Request({"type": "http"}, broken))
        assert await submit(lambda: 2) == 2
