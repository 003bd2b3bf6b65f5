"""Who computes when: as many at once as there are CPUs, the others in a queue that is not longer than the deadline.

Whoever would wait longer than the deadline is told so at once, with `Busy`: a client that hears "try again" after a
millisecond is better off than one that hears nothing for ten seconds, and so is everybody behind it.

Jobs that wait when a CPU becomes free are run together, a few at a time. None is ever held back for others to come: on
a CPU a job alone is done nearly as quickly as its part of a batch, so there is nothing to be gained that would be worth
the wait (measured: docs/design/serving.md).
"""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import Request

from animals.errors import Busy, ClientGone
from animals.serving.metrics import Metrics

J = TypeVar("J")
T = TypeVar("T")

TOGETHER: Final = 4
"""Jobs that are run together at most. Eight are another hundredth quicker, but the first waits twice as long."""

SMOOTHING: Final = 0.05
"""Weight of an answer in the pace: twenty after a change the queue's length has mostly followed it."""

LATE: Final = 2
"""Deadlines after which a job that was let in is refused after all: those before it took much longer than others do,
and without this all behind it would be answered late too."""


@dataclass(eq=False, slots=True)
class _Waiting(Generic[J, T]):
    """A job from its arrival to its answer."""

    request: Request
    job: J
    accepted: bool
    came: float = field(default_factory=time.perf_counter)
    done: anyio.Event = field(default_factory=anyio.Event)
    outcome: T | Exception | None = None

    def end(self, outcome: T | Exception) -> None:
        self.outcome = outcome
        self.done.set()


class Engine(Generic[J, T]):
    """Takes turns at computing, as `async with Engine(…) as engine`; the work is done in threads beside the event loop.

    Args:
        turns: batches of jobs that run at once, each on one CPU.
        work: does some jobs and gives the outcome of each in their order: its answer, or why there is none.
        deadline: seconds that a job may wait for its turn.
        guess: seconds that a job takes, as far as is known before the first have been run under load.
        metrics: counts who is refused, and times the wait.
    """

    def __init__(
        self,
        turns: int,
        *,
        work: Callable[[Sequence[J]], Sequence[T | Exception]],
        deadline: float,
        guess: Callable[[], float],
        metrics: Metrics,
    ) -> None:
        self._turns = turns
        self._work = work
        self._deadline = deadline
        self._guess = guess
        self._metrics = metrics
        self._free = turns
        self._waiting: deque[_Waiting[J, T]] = deque()
        self._threads = anyio.CapacityLimiter(turns)
        self._tasks = anyio.create_task_group()
        self._accepted = 0
        self._answers = 0.0  # given while others waited, the older the less they count
        self._seconds = 0.0  # that these took all together
        self._ended: float | None = None  # when the last batch did, if others waited for their turn then

    async def __aenter__(self) -> Self:
        """Begin."""
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        """Wait for what runs."""
        return await self._tasks.__aexit__(kind, error, trace)

    @property
    def accepted(self) -> int:
        """Jobs that wait or run."""
        return self._accepted

    @property
    def pace(self) -> float:
        """Seconds between two answers under load."""
        if self._seconds:
            return self._seconds / self._answers
        return self._guess() / self._turns or self._deadline

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

    async def compute(self, request: Request, job: J, *, accepted: bool = False) -> T:
        """The answer to a job, when it has had its turn.

        Args:
            request: whose answer this is; if its client goes away while the job waits, the job is not run.
            job: one picture's work.
            accepted: part of a request of several jobs that has passed `check` as a whole. Such jobs are asked one
                after the other, so that they never fill the queue.

        Raises:
            Busy: the queue has filled up since the request came, or moves much slower than was expected.
            ClientGone: nobody waits for the answer any more.
            Exception: whatever the work gives instead of an answer.
        """
        if not accepted:
            self.check()
        waiting: _Waiting[J, T] = _Waiting(request, job, accepted)
        self._waiting.append(waiting)
        self._accepted += 1
        try:
            self._take_turns()
            await waiting.done.wait()
        finally:
            self._accepted -= 1
            if waiting in self._waiting:  # cancelled before its turn
                self._waiting.remove(waiting)
        if isinstance(waiting.outcome, Exception):
            raise waiting.outcome
        return waiting.outcome  # type: ignore[return-value] # it was set before the event

    def _take_turns(self) -> None:
        """Start the next batches, as many as there are free CPUs."""
        while self._free and self._waiting:
            fair = math.ceil(len(self._waiting) / self._turns)  # the other CPUs will be free soon too
            batch = [self._waiting.popleft() for _ in range(min(fair, TOGETHER))]
            self._free -= 1
            self._tasks.start_soon(self._run, batch)

    async def _run(self, batch: Sequence[_Waiting[J, T]]) -> None:
        try:
            wanted = [waiting for waiting in batch if await self._is_wanted(waiting)]
            if wanted:
                await self._answer(wanted)
        except Exception as error:  # noqa: BLE001 -- raised to those who asked, and the engine runs on
            for waiting in batch:
                if not waiting.done.is_set():
                    waiting.end(error)
        finally:
            self._free += 1
            self._take_turns()

    async def _is_wanted(self, waiting: _Waiting[J, T]) -> bool:
        waited = time.perf_counter() - waiting.came
        self._metrics.took("queue", waited)
        if not waiting.accepted and waited > LATE * self._deadline:
            waiting.end(self._busy())
        elif await waiting.request.is_disconnected():
            waiting.end(ClientGone("The client has gone away."))
        return not waiting.done.is_set()

    async def _answer(self, batch: Sequence[_Waiting[J, T]]) -> None:
        jobs = [waiting.job for waiting in batch]
        outcomes = await anyio.to_thread.run_sync(self._work, jobs, limiter=self._threads)
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.end(outcome)
        self._learn_pace(outcomes)

    def _learn_pace(self, outcomes: Sequence[T | Exception]) -> None:
        """From the time between two ends, if the CPUs were busy in between.

        Time and answers add up apart from each other: two CPUs may end at the same moment, and then nothing for long.
        A file that is no picture says nothing of how long those behind it will take.
        """
        now = time.perf_counter()
        answers = sum(not isinstance(outcome, Exception) for outcome in outcomes)
        if self._ended is not None and answers:
            kept = (1 - SMOOTHING) ** answers
            self._answers = kept * self._answers + answers
            self._seconds = kept * self._seconds + now - self._ended
        self._ended = now if self._waiting and answers else None
