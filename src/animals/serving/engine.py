"""Who computes when: as many at once as there are CPUs, the others in a queue that is not longer than the deadline.

Whoever would wait longer than the deadline is told so at once, with `Busy`: a client that hears "try again" after a
millisecond is better off than one that hears nothing for ten seconds, and so is everybody behind it.
"""

import math
import time
from collections.abc import Callable
from typing import Final, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from animals.errors import Busy, ClientGone
from animals.serving.metrics import Metrics

T = TypeVar("T")

SMOOTHING: Final = 0.05
"""Weight of the newest answer in the pace: twenty answers after a change the queue's length has mostly followed it."""


LATE: Final = 2
"""Deadlines after which a job that was let in is refused after all: those before it took much longer than others do,
and without this all behind it would be answered late too."""


class Engine:
    """Takes turns at computing. It belongs to one event loop; jobs run in threads beside it.

    Args:
        turns: jobs that run at once, each on one CPU.
        deadline: seconds that a job may wait for its turn.
        guess: seconds that a job takes, as far as is known before the first have been run under load.
        metrics: counts who is refused, and times the wait.
    """

    def __init__(self, turns: int, *, deadline: float, guess: Callable[[], float], metrics: Metrics) -> None:
        self._turns = turns
        self._deadline = deadline
        self._guess = guess
        self._metrics = metrics
        self._turn = anyio.Semaphore(turns)
        self._threads = anyio.CapacityLimiter(turns)
        self._accepted = 0
        self._pace = 0.0  # seconds between two answers while others wait
        self._ended: float | None = None  # when the last job did, if another waited for its turn then

    @property
    def accepted(self) -> int:
        """Jobs that wait or run."""
        return self._accepted

    @property
    def pace(self) -> float:
        """Seconds between two answers under load."""
        return self._pace or self._guess() / self._turns or self._deadline

    @property
    def room(self) -> int:
        """Jobs that can be answered within the deadline; always enough to keep every CPU busy."""
        return max(2 * self._turns, int(self._deadline / self.pace))

    def check(self) -> None:
        """Refuse a newcomer if the queue is full; asked before its body is read, it costs next to nothing.

        Raises:
            Busy: a job that came now would not have its turn within the deadline.
        """
        if self._accepted >= self.room:
            raise self._busy()

    def _busy(self) -> Busy:
        self._metrics.shed()
        wait = math.ceil(self._accepted * self.pace)
        return Busy(f"More is waiting than can be answered in time. Try again in {wait} s.", wait)

    async def compute(self, request: Request, job: Callable[[], T], *, accepted: bool = False) -> T:
        """Run a job in a thread when its turn has come.

        Args:
            request: whose answer this is; if its client goes away while the job waits, the job is not run.
            job: one picture's work.
            accepted: part of a request of several jobs that has passed `check` as a whole. Such jobs are run one
                after the other, so that they never fill the queue.

        Raises:
            Busy: the queue has filled up since the request came, or moves much slower than was expected.
            ClientGone: nobody waits for the answer any more.
        """
        if not accepted:
            self.check()
        self._accepted += 1
        came = time.perf_counter()
        try:
            with self._metrics.stage("queue"):
                await self._turn.acquire()
            try:
                if not accepted and time.perf_counter() - came > LATE * self._deadline:
                    raise self._busy()
                return await self._run(request, job)
            finally:
                self._turn.release()
        finally:
            self._accepted -= 1

    async def _run(self, request: Request, job: Callable[[], T]) -> T:
        if await request.is_disconnected():
            raise ClientGone("The client has gone away.")
        try:
            answer = await anyio.to_thread.run_sync(job, limiter=self._threads)
        except BaseException:
            self._ended = None  # a file that is no picture says nothing of how long those behind it will take
            raise
        self._learn_pace()
        return answer

    def _learn_pace(self) -> None:
        """From the time between two answers, if the CPUs were busy in between."""
        now = time.perf_counter()
        if self._ended is not None:
            self._pace += (SMOOTHING if self._pace else 1) * (now - self._ended - self._pace)
        self._ended = now if self._turn.statistics().tasks_waiting else None
