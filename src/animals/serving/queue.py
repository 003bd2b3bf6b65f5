"""Bounded request queue: run one batch per CPU, reject requests that cannot finish before the deadline.

A request that would wait longer is rejected at once with `Busy`: "try again" after a millisecond is better for its
client than ten seconds without a response, and better for all requests behind it.

Jobs that wait when a CPU becomes free are run as one batch. No job waits for a batch to fill up: on a CPU one picture
alone takes nearly as long as its share of a batch, so the wait would gain nothing (measured: docs/design/serving.md).
"""

import math
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self, cast

import anyio
import anyio.to_thread
from starlette.requests import Request

from animals.api import Prediction
from animals.errors import Busy, ClientGone
from animals.serving.metrics import Metrics
from animals.serving.predict import Predictor, PredictRequest

MAX_BATCH: Final = 4
"""Largest batch. Eight are another hundredth quicker, but the first waits twice as long."""

SMOOTHING: Final = 0.05
"""Weight of one result in the average duration: after twenty results the queue has mostly adapted to a change."""

MAX_DEADLINES: Final = 2
"""Deadlines after which a job in the queue is rejected after all: the jobs before it took much longer than expected,
and without this every job behind it would be late too."""


@dataclass(eq=False, slots=True)
class _Job:
    """One picture, from its arrival to its result."""

    request: Request
    picture: PredictRequest
    admitted: bool
    arrived: float = field(default_factory=time.perf_counter)
    done: anyio.Event = field(default_factory=anyio.Event)
    result: Prediction | Exception | None = None

    def finish(self, result: Prediction | Exception) -> None:
        self.result = result
        self.done.set()


class RequestQueue:
    """Queue of pictures to classify, used as `async with RequestQueue(…) as queue`; threads do the work.

    Each slot runs one batch on one CPU. The deadline is the number of seconds that a job may wait.
    """

    def __init__(self, predictor: Predictor, *, slots: int, deadline: float, metrics: Metrics) -> None:
        self._predictor = predictor
        self._slots = slots
        self._deadline = deadline
        self._metrics = metrics
        self._free_slots = slots
        self._waiting: deque[_Job] = deque()
        self._threads = anyio.CapacityLimiter(slots)
        self._tasks = anyio.create_task_group()
        self._length = 0
        # Under load only, and weighted: the older a result, the less it counts.
        self._results = 0.0
        self._seconds = 0.0
        self._last_end: float | None = None
        """End of the last batch; None if no job waited for a slot then."""

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._tasks.__aexit__(*error)

    def __len__(self) -> int:
        """Return the number of jobs that wait or run."""
        return self._length

    @property
    def seconds_per_result(self) -> float:
        """Average seconds between two results under load."""
        if self._seconds:
            return self._seconds / self._results
        return self._predictor.seconds / self._slots or self._deadline

    @property
    def capacity(self) -> int:
        """Largest number of jobs that can finish before the deadline; at least enough to keep every CPU busy."""
        return max(2 * self._slots, int(self._deadline / self.seconds_per_result))

    def check(self) -> None:
        """Reject a new request if the queue is full; called before the body is read, so that it costs little."""
        if self._length >= self.capacity:
            raise self._busy()

    def _busy(self) -> Busy:
        self._metrics.shed.inc()
        wait = math.ceil(self._length * self.seconds_per_result)
        return Busy(f"More requests are waiting than can be answered in time. Try again in {wait} s.", wait)

    async def submit(self, request: Request, picture: PredictRequest, *, admitted: bool = False) -> Prediction:
        """Wait for the prediction of one picture; if the client disconnects while the job waits, the job is not run.

        Later pictures of a request that has passed `check` as a whole are `admitted`. They are submitted one after the
        other, so that they never fill the queue.

        Raises:
            Busy: the queue has filled up since `check`, or is much slower than expected.
            ClientGone: the client has disconnected.
            Exception: the error that `Predictor.predict` returned for this picture.
        """
        if not admitted:
            self.check()
        job = _Job(request, picture, admitted)
        self._waiting.append(job)
        self._length += 1
        try:
            self._start_batches()
            await job.done.wait()
        finally:
            self._length -= 1
            if job in self._waiting:  # cancelled before it ran
                self._waiting.remove(job)
        if isinstance(job.result, Exception):
            raise job.result
        return cast(Prediction, job.result)  # set before `done`

    def _start_batches(self) -> None:
        while self._free_slots and self._waiting:
            share = math.ceil(len(self._waiting) / self._slots)  # the other slots will be free soon too
            batch = [self._waiting.popleft() for _ in range(min(share, MAX_BATCH))]
            self._free_slots -= 1
            self._tasks.start_soon(self._run, batch)

    async def _run(self, batch: Sequence[_Job]) -> None:
        try:
            due = [job for job in batch if await self._is_due(job)]
            if due:
                await self._predict(due)
        except Exception as error:  # noqa: BLE001 -- raised in `submit` of each job; the queue continues
            for job in batch:
                if not job.done.is_set():
                    job.finish(error)
        finally:
            self._free_slots += 1
            self._start_batches()

    async def _is_due(self, job: _Job) -> bool:
        """Return whether the client still waits for the job; finish it otherwise."""
        waited = time.perf_counter() - job.arrived
        self._metrics.stages["queue"].observe(waited)
        if not job.admitted and waited > MAX_DEADLINES * self._deadline:
            job.finish(self._busy())
        elif await job.request.is_disconnected():
            job.finish(ClientGone("The client has disconnected."))
        return not job.done.is_set()

    async def _predict(self, batch: Sequence[_Job]) -> None:
        pictures = [job.picture for job in batch]
        results = await anyio.to_thread.run_sync(self._predictor.predict, pictures, limiter=self._threads)
        for job, result in zip(batch, results, strict=True):
            job.finish(result)
        self._update_average(sum(not isinstance(result, Exception) for result in results))

    def _update_average(self, results: int) -> None:
        """Add the time between the ends of two batches, if jobs waited in between.

        Times and results are added up separately because two batches may end at the same moment. Files that are no
        pictures do not count: they do not tell how long the jobs behind them will take.
        """
        now = time.perf_counter()
        if self._last_end is not None and results:
            weight = (1 - SMOOTHING) ** results
            self._results = weight * self._results + results
            self._seconds = weight * self._seconds + now - self._last_end
        self._last_end = now if self._waiting and results else None
