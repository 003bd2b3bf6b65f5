"""A request queue that runs jobs in the place of pictures."""

import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
from starlette.requests import Request
from starlette.types import Message

from animals.errors import NotAPicture
from animals.serving.metrics import Metrics
from animals.serving.predict import Predictor, PredictRequest
from animals.serving.queue import RequestQueue
from tests.support.published import until

Job = Callable[[], Any]
Submit = Callable[..., Any]


class JobRunner:
    """Runs jobs in the place of a predictor."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.batches: list[int] = []

    def predict(self, jobs: Sequence[Job]) -> list[Any]:
        self.batches.append(len(jobs))
        return [self._run(job) for job in jobs]

    def _run(self, job: Job) -> Any:
        try:
            return job()
        except (ArithmeticError, NotAPicture) as error:
            return error


class BrokenRunner(JobRunner):
    """Fails as a whole where a job does."""

    def _run(self, job: Job) -> Any:
        return job()


class Client:
    """Sends a request, waits for its response, and may disconnect."""

    def __init__(self) -> None:
        self.gone = False
        self.request = Request({"type": "http"}, self._receive)

    async def _receive(self) -> Message:
        if not self.gone:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}


@asynccontextmanager
async def running(
    slots: int = 1, *, deadline: float = 1.0, seconds: float = 0.1, runner: JobRunner | None = None
) -> AsyncIterator[tuple[RequestQueue, Submit]]:
    """A queue, and a function that waits for a job in it."""
    predictor = cast(Predictor, runner or JobRunner(seconds))
    async with RequestQueue(predictor, slots=slots, deadline=deadline, metrics=Metrics()) as queue:

        async def submit(job: Job, request: Request | None = None, admitted: bool = False) -> Any:
            job_as_picture = cast(PredictRequest, job)
            return await queue.submit(request or Client().request, job_as_picture, admitted=admitted)

        yield queue, submit


@asynccontextmanager
async def occupied(submit: Submit, jobs: int = 1) -> AsyncIterator[threading.Event]:
    """Keep jobs in the queue until the event is set, at the latest at the end."""
    release = threading.Event()
    async with anyio.create_task_group() as tasks:
        for _ in range(jobs):
            tasks.start_soon(submit, lambda: until(release.is_set))
        await anyio.wait_all_tasks_blocked()
        yield release
        release.set()


def sleeping(seconds: float) -> Job:
    return lambda: time.sleep(seconds)


def fail() -> None:
    raise ZeroDivisionError
