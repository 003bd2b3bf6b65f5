"""A server as a process of its own, confined to one CPU: started, waited for, watched and ended."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
import psutil
from machine import confined
from serving_model import Question

DEADLINE: Final = 120.0
"""Seconds after which a server counts as broken."""

WATCH_SECONDS: Final = 0.25


class NoServer(RuntimeError):
    """A server that did not answer; the message holds the end of what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """How to start a server."""

    name: str
    command: Sequence[str]
    """In which `{port}` stands for the port."""
    environment: Mapping[str, str] = field(default_factory=dict)
    kind: str = "int8"
    """Whose answers are right, see `serving_model.read_questions`."""
    path: str = "/classify/"


class Server:
    """A running server; used as `with Server(…) as server`.

    Args:
        backend: what to start.
        cpus: where it may run; None for anywhere.
        log: file that gets what it writes.
    """

    def __init__(self, backend: Backend, cpus: set[int] | None, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{backend.path}"
        self.base = f"http://127.0.0.1:{port}"
        self._log = log
        self._started = time.perf_counter()
        with confined(cpus), log.open("wb") as file:
            self._popen = subprocess.Popen(  # noqa: S603 - what the benchmark wants
                [word.format(port=port) for word in backend.command],
                # bytecode is compiled by the first start, as in an image
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PORT": str(port), **backend.environment},
                stdout=file,
                stderr=file,
            )
        self.peak = 0.0
        """MB that all its processes had at most, what they share counted in each."""
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._watch_memory, daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        family = self._family()
        self._popen.terminate()
        _, left = psutil.wait_procs(family, timeout=15)
        for process in left:
            process.kill()
        self._popen.wait()

    def wait(self, question: Question) -> float:
        """Seconds from its start to its first right answer.

        Raises:
            NoServer: it has ended, or takes too long.
        """
        with httpx.Client(timeout=DEADLINE, trust_env=False) as client:
            while not _answers(client, self.url, question):
                if self._popen.poll() is not None or time.perf_counter() - self._started > DEADLINE:
                    raise NoServer(f"No right answer came from {self._popen.args!r}. {self._last_words()}")
                time.sleep(0.005)
            return time.perf_counter() - self._started

    def wait_ready(self) -> None:
        """Wait until it says that it is ready.

        Raises:
            NoServer: it has ended, or takes too long.
        """
        with httpx.Client(base_url=self.base, timeout=DEADLINE, trust_env=False) as client:
            while not _is_ready(client):
                if self._popen.poll() is not None or time.perf_counter() - self._started > DEADLINE:
                    raise NoServer(f"{self._popen.args!r} is not ready. {self._last_words()}")
                time.sleep(0.05)

    def memory(self) -> float:
        """MB that its processes have now."""
        found = 0
        for process in self._family():
            try:
                found += process.memory_info().rss
            except psutil.NoSuchProcess:  # it has just ended
                continue
        return found / 1e6

    def _family(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self._popen.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _watch_memory(self) -> None:
        while not self._over.wait(WATCH_SECONDS):
            self.peak = max(self.peak, self.memory())

    def _last_words(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]


def _answers(client: httpx.Client, url: str, question: Question) -> bool:
    try:
        answer = client.post(url, content=question.body, headers={"Content-Type": question.content_type})
    except httpx.TransportError:
        return False
    return answer.status_code == httpx.codes.OK and question.is_right(answer.json())


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port
