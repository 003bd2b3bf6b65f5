"""Clients that ask a server and count what they hear: so many at once, or so many a second."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
from serving_model import Question


@dataclass(slots=True)
class Tally:
    """What the clients heard."""

    seconds: float = 0.0
    right: list[float] = field(default_factory=list)
    """Seconds that each right answer took."""
    shed: list[float] = field(default_factory=list)
    """Seconds that each "try again later" took: 503 with Retry-After."""
    wrong: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """In numbers; times are milliseconds."""
        return {
            "pictures_per_second": len(self.right) / self.seconds,
            "p50": _percentile(self.right, 50),
            "p95": _percentile(self.right, 95),
            "p99": _percentile(self.right, 99),
            "right": len(self.right),
            "wrong": self.wrong,
            "shed": len(self.shed),
            "shed_p95": _percentile(self.shed, 95),
            "failures": dict(self.failures),
        }


def _percentile(seconds: Sequence[float], part: float) -> float | None:
    return float(np.percentile(seconds, part)) * 1000 if seconds else None


def at_once(url: str, questions: Sequence[Question], clients: int, *, warmup: float, seconds: float) -> Tally:
    """So many clients, each of which asks again as soon as it is answered.

    Args:
        url: that is asked.
        questions: all clients ask all of them in turn.
        clients: how many.
        warmup: seconds before counting begins.
        seconds: that are counted: answers that came within them.
    """
    return asyncio.run(_at_once(url, questions, clients, warmup, seconds))


async def _at_once(url: str, questions: Sequence[Question], clients: int, warmup: float, seconds: float) -> Tally:
    tally = Tally(seconds=seconds)
    turn = itertools.cycle(questions)
    begin = time.perf_counter() + warmup
    end = begin + seconds

    async def ask() -> None:
        while time.perf_counter() < end:
            sent, outcome, wait = await _ask(client, url, next(turn))
            if begin <= time.perf_counter() < end:
                _count(tally, outcome, time.perf_counter() - sent)
            await asyncio.sleep(min(wait, max(0.0, end - time.perf_counter())))

    async with _client() as client:
        await asyncio.gather(*(ask() for _ in range(clients)))
    return tally


async def paced(url: str, questions: Iterator[Question], rate: float, seconds: float) -> Tally:
    """So many requests a second, whether the ones before are answered or not.

    Args:
        url: that is asked.
        questions: asked in turn; without an end.
        rate: requests a second.
        seconds: for how long; then the answers are waited for.
    """
    tally = Tally(seconds=seconds)
    began = time.perf_counter()

    async def ask() -> None:
        sent, outcome, _ = await _ask(client, url, next(questions))
        _count(tally, outcome, time.perf_counter() - sent)

    async with _client() as client, asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(began + number / rate - time.perf_counter())
            group.create_task(ask())
    return tally


@asynccontextmanager
async def _client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        yield client


async def _ask(client: httpx.AsyncClient, url: str, question: Question) -> tuple[float, str, float]:
    """When it was sent, what came of it, and how long this client should wait now."""
    sent = time.perf_counter()
    try:
        answer = await client.post(url, content=question.body, headers={"Content-Type": question.content_type})
    except httpx.TransportError as error:
        return sent, type(error).__name__, 0.0
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in answer.headers:
        return sent, "shed", float(answer.headers["Retry-After"])
    if answer.status_code != httpx.codes.OK:
        return sent, str(answer.status_code), 0.0
    return sent, "right" if question.is_right(answer.json()) else "wrong", 0.0


def _count(tally: Tally, outcome: str, seconds: float) -> None:
    if outcome == "right":
        tally.right.append(seconds)
    elif outcome == "shed":
        tally.shed.append(seconds)
    elif outcome == "wrong":
        tally.wrong += 1
    else:
        tally.failures[outcome] += 1
