"""Clients that send requests at the same time, until they are stopped."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx

Work = Callable[[httpx.Client, random.Random], None]
"""One round of requests of one client."""


class Load:
    """Counts the outcomes of requests; used as `with load.running(clients):`."""

    def __init__(self, work: Work) -> None:
        self.outcomes: Counter[str] = Counter()
        self._work = work
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def count(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1

    @contextmanager
    def running(self, clients: int) -> Iterator[None]:
        with ThreadPoolExecutor(clients) as pool:
            running = [pool.submit(self._run, number) for number in range(clients)]
            try:
                yield
            finally:
                self.stop()
        for client in running:
            client.result()

    def stop(self) -> None:
        self._stop.set()

    def wait_for(self, outcome: str, times: int = 30) -> None:
        """Wait until an outcome has been counted a number of times more."""
        expected, deadline = self.outcomes[outcome] + times, time.monotonic() + 30
        while self.outcomes[outcome] < expected:
            assert time.monotonic() < deadline, self.outcomes
            time.sleep(0.005)

    def _run(self, seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                self._work(client, chance)


def whole_request(picture: bytes) -> bytes:
    """Return the bytes of a request to classify a picture, which closes the connection after its response."""
    request = httpx.Request("POST", "http://x/classify/", files={"file": picture}, headers={"Connection": "close"})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /classify/ HTTP/1.1\r\n{head}\r\n".encode() + request.read()
