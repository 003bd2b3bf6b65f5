"""HTTP clients that count a server's answers: a number of clients in a loop, or a number of requests a second."""

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

from profiling.serving.model import Request


@dataclass(slots=True)
class Counts:
    """The answers that clients got."""

    seconds: float = 0.0
    right: list[float] = field(default_factory=list)
    """Seconds of each right answer."""
    shed: list[float] = field(default_factory=list)
    """Seconds of each rejected request: 503 with Retry-After."""
    wrong: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def summary(self) -> dict[str, Any]:
        """Return rate, percentiles in milliseconds, and counts."""
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


def run_clients(url: str, requests: Sequence[Request], clients: int, *, warmup: float, seconds: float) -> Counts:
    """Let clients send one request after the other, each time the next; the warm-up is not counted."""
    return asyncio.run(_run_clients(url, requests, clients, warmup, seconds))


async def _run_clients(url: str, requests: Sequence[Request], clients: int, warmup: float, seconds: float) -> Counts:
    counts = Counts(seconds=seconds)
    turn = itertools.cycle(requests)
    begin = time.perf_counter() + warmup
    end = begin + seconds

    async def loop() -> None:
        while time.perf_counter() < end:
            sent, outcome, wait = await _send(client, url, next(turn))
            if begin <= time.perf_counter() < end:
                _count(counts, outcome, time.perf_counter() - sent)
            await asyncio.sleep(min(wait, max(0.0, end - time.perf_counter())))

    async with _client() as client:
        await asyncio.gather(*(loop() for _ in range(clients)))
    return counts


async def send_at_rate(url: str, requests: Iterator[Request], rate: float, seconds: float) -> Counts:
    """Send requests at a rate a second, whether earlier ones are answered or not; then await outstanding answers."""
    counts = Counts(seconds=seconds)
    began = time.perf_counter()

    async def send() -> None:
        sent, outcome, _ = await _send(client, url, next(requests))
        _count(counts, outcome, time.perf_counter() - sent)

    async with _client() as client, asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            await asyncio.sleep(began + number / rate - time.perf_counter())
            group.create_task(send())
    return counts


@asynccontextmanager
async def _client() -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60, trust_env=False) as client:
        yield client


async def _send(client: httpx.AsyncClient, url: str, request: Request) -> tuple[float, str, float]:
    """Return when a request was sent, its outcome, and the seconds that this client should wait."""
    sent = time.perf_counter()
    try:
        response = await client.post(url, content=request.body, headers={"Content-Type": request.content_type})
    except httpx.TransportError as error:
        return sent, type(error).__name__, 0.0
    if response.status_code == httpx.codes.SERVICE_UNAVAILABLE and "Retry-After" in response.headers:
        return sent, "shed", float(response.headers["Retry-After"])
    if response.status_code != httpx.codes.OK:
        return sent, str(response.status_code), 0.0
    return sent, "right" if request.is_right(response.json()) else "wrong", 0.0


def _count(counts: Counts, outcome: str, seconds: float) -> None:
    if outcome == "right":
        counts.right.append(seconds)
    elif outcome == "shed":
        counts.shed.append(seconds)
    elif outcome == "wrong":
        counts.wrong += 1
    else:
        counts.failures[outcome] += 1
