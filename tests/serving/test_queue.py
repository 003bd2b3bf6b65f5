"""Turns at computing: how many at once, how long a queue, and for whom nothing is computed."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import pytest
from starlette.requests import Request
from starlette.types import Message

from animals.errors import Busy, ClientGone, NotAPicture
from animals.serving.metrics import Metrics
from animals.serving.queue import TOGETHER, Engine
from tests.support.published import until

Job = Callable[[], Any]


def each(jobs: Sequence[Job]) -> list[Any]:
    """Run jobs one after the other."""
    outcomes: list[Any] = []
    for job in jobs:
        try:
            outcomes.append(job())
        except (ArithmeticError, NotAPicture) as error:
            outcomes.append(error)
    return outcomes


@asynccontextmanager
async def engine(
    turns: int = 1, *, deadline: float = 1.0, guess: float = 0.1, work: Callable[[Sequence[Job]], list[Any]] = each
) -> AsyncIterator[Engine[Job, Any]]:
    async with Engine(turns, work=work, deadline=deadline, guess=lambda: guess, metrics=Metrics()) as taking:
        yield taking


class Client:
    """Sends a request, waits for its answer, and may go away."""

    def __init__(self) -> None:
        self.gone = False
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        if not self.gone:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}


def sleeping(seconds: float) -> Callable[[], None]:
    return lambda: time.sleep(seconds)


def test_a_job_runs_beside_the_event_loop_and_its_result_comes_back() -> None:
    async def main() -> tuple[int, bool]:
        async with engine() as taking:
            found = await taking.compute(Client().request, threading.get_ident)
        return found, found == threading.get_ident()

    assert anyio.run(main)[1] is False


@pytest.mark.parametrize("turns", [1, 3])
def test_as_many_jobs_run_at_once_as_there_are_turns(turns: int) -> None:
    working, most, lock = 0, 0, threading.Lock()

    def job() -> None:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        time.sleep(0.01)
        with lock:
            working -= 1

    async def main() -> None:
        async with engine(turns) as taking, anyio.create_task_group() as tasks:
            for _ in range(7):
                tasks.start_soon(taking.compute, Client().request, job)

    anyio.run(main)
    assert most == turns


def test_a_queue_longer_than_the_deadline_is_refused_at_once_with_the_time_to_wait() -> None:
    async def main() -> None:
        async with engine(deadline=0.35, guess=0.1) as taking:
            release = threading.Event()
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(taking.compute, Client().request, lambda: until(release.is_set))
                await anyio.wait_all_tasks_blocked()
                assert taking.accepted == taking.room == 3
                with pytest.raises(Busy, match="Try again in 1 s") as refusal:
                    taking.check()
                with pytest.raises(Busy):
                    await taking.compute(Client().request, sleeping(0))
                release.set()
            assert refusal.value.wait == 1
            taking.check()
            assert taking.accepted == 0

    anyio.run(main)


def test_a_part_of_an_accepted_request_is_not_refused() -> None:
    async def main() -> None:
        async with engine(deadline=10, guess=10) as taking:
            release = threading.Event()
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(taking.compute, Client().request, lambda: until(release.is_set))
                await anyio.wait_all_tasks_blocked()
                release.set()
                await taking.compute(Client().request, sleeping(0), accepted=True)

    anyio.run(main)


def test_who_was_let_in_by_too_good_a_guess_is_refused_in_the_end() -> None:
    async def main() -> tuple[int, int]:
        async with engine(deadline=0.05, guess=0.001) as taking:
            answered = refused = 0

            async def ask() -> None:
                nonlocal answered, refused
                try:
                    await taking.compute(Client().request, sleeping(0.04))
                    answered += 1
                except Busy:
                    refused += 1

            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(ask)
            return answered, refused

    answered, refused = anyio.run(main)
    assert 1 <= answered <= 1 + TOGETHER
    assert answered + refused == 20


def test_nothing_is_computed_for_a_client_that_has_gone_away() -> None:
    async def main() -> None:
        async with engine() as taking:
            release, computed = threading.Event(), False
            gone = Client()

            def job() -> None:
                nonlocal computed
                computed = True

            async def ask_and_leave() -> None:
                with pytest.raises(ClientGone):
                    await taking.compute(gone.request, job)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(taking.compute, Client().request, lambda: until(release.is_set))
                await anyio.wait_all_tasks_blocked()
                tasks.start_soon(ask_and_leave)
                await anyio.wait_all_tasks_blocked()
                gone.gone = True
                release.set()
            assert not computed
            assert taking.accepted == 0

    anyio.run(main)


def pace_after(jobs: list[Callable[[], None]], turns: int = 1) -> float:
    async def main() -> float:
        async with engine(turns, deadline=100, guess=0.5) as taking:

            async def run(job: Callable[[], None]) -> None:
                with suppress(NotAPicture):
                    await taking.compute(Client().request, job)

            async with anyio.create_task_group() as tasks:
                for job in jobs:
                    tasks.start_soon(run, job)
            return taking.pace

    return anyio.run(main)


@pytest.mark.parametrize("turns", [1, 2])
def test_the_pace_is_learnt_under_load(turns: int) -> None:
    assert pace_after([sleeping(0.02)] * 12, turns) == pytest.approx(0.02 / turns, rel=0.6)


def test_one_job_alone_tells_nothing_of_the_pace() -> None:
    assert pace_after([sleeping(0.02)]) == 0.5


def test_files_that_are_no_pictures_do_not_make_the_pace_look_quick() -> None:
    def junk() -> None:
        raise NotAPicture("junk")

    assert pace_after([sleeping(0.02), *[junk] * 30, sleeping(0.02), sleeping(0.02), sleeping(0.02)]) > 0.015


def test_what_a_job_raises_is_raised_and_the_next_has_its_turn() -> None:
    async def main() -> None:
        async with engine() as taking:
            with pytest.raises(ZeroDivisionError):
                await taking.compute(Client().request, lambda: 1 / 0)
            assert await taking.compute(Client().request, lambda: 1) == 1

    anyio.run(main)


def sizes_of_batches(jobs: int, turns: int) -> list[int]:
    """How many are run together when some wait behind others that have all the turns."""
    sizes: list[int] = []
    release = threading.Event()

    def work(batch: Sequence[Job]) -> list[Any]:
        sizes.append(len(batch))
        return each(batch)

    async def main() -> list[int]:
        answers = []

        async def ask(number: int) -> None:
            answers.append(await taking.compute(Client().request, lambda: number))

        async with engine(turns, deadline=10, work=work) as taking, anyio.create_task_group() as tasks:
            for _ in range(turns):
                tasks.start_soon(taking.compute, Client().request, lambda: until(release.is_set))
            await anyio.wait_all_tasks_blocked()
            for number in range(jobs):
                tasks.start_soon(ask, number)
            await anyio.wait_all_tasks_blocked()
            release.set()
        return answers

    assert sorted(anyio.run(main)) == list(range(jobs))
    assert sizes[:turns] == [1] * turns  # nobody waits for others to come
    return sizes[turns:]


def test_jobs_that_wait_are_run_together_a_few_at_a_time() -> None:
    assert sizes_of_batches(TOGETHER + 2, turns=1) == [TOGETHER, 2]


def test_jobs_that_wait_are_shared_between_the_turns() -> None:
    assert max(sizes_of_batches(3, turns=2)) == 2


def test_a_job_that_fails_takes_none_of_those_beside_it_along() -> None:
    outcomes: list[Any] = []

    async def main() -> None:
        async def ask(job: Job) -> None:
            try:
                outcomes.append(await taking.compute(Client().request, job))
            except ZeroDivisionError as error:
                outcomes.append(type(error))

        async with engine() as taking, anyio.create_task_group() as tasks:
            for job in (sleeping(0.05), lambda: 1, lambda: 1 / 0, lambda: 3):
                tasks.start_soon(ask, job)

    anyio.run(main)
    assert outcomes == [None, 1, ZeroDivisionError, 3]


def test_work_that_fails_as_a_whole_is_told_to_all_and_the_next_have_their_turn() -> None:
    def work(batch: Sequence[Job]) -> list[Any]:
        return [job() for job in batch]

    async def main() -> int:
        async with engine(work=work) as taking:
            with pytest.raises(ZeroDivisionError):
                await taking.compute(Client().request, lambda: 1 / 0)
            answer: int = await taking.compute(Client().request, lambda: 1)
            return answer

    assert anyio.run(main) == 1


def test_a_request_that_breaks_takes_neither_the_engine_nor_others_along() -> None:
    async def broken() -> Message:
        raise ZeroDivisionError

    async def main() -> int:
        async with engine() as taking:
            with pytest.raises(ZeroDivisionError):
                await taking.compute(Request({"type": "http"}, broken), lambda: 1)
            answer: int = await taking.compute(Client().request, lambda: 2)
            return answer

    assert anyio.run(main) == 2


def test_a_job_that_is_cancelled_before_its_turn_is_not_run() -> None:
    ran: list[int] = []
    release = threading.Event()

    async def main() -> None:
        async with engine() as taking, anyio.create_task_group() as tasks:
            tasks.start_soon(taking.compute, Client().request, lambda: until(release.is_set))
            await anyio.wait_all_tasks_blocked()
            with anyio.move_on_after(0.01):
                await taking.compute(Client().request, lambda: ran.append(1))
            release.set()
        assert taking.accepted == 0

    anyio.run(main)
    assert not ran
