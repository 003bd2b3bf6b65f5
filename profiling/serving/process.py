"""A server in a process of its own, pinned to one CPU."""

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

import httpx
import psutil

from profiling.machine import pinned
from profiling.serving.model import Request

DEADLINE: Final = 120.0
"""Seconds until a server counts as broken."""

WATCH_SECONDS: Final = 0.25


class ServerNotReady(RuntimeError):
    """A server that did not answer; the message ends with its last output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCommand:
    """How to start a server."""

    name: str
    command: Sequence[str]
    """`{port}` in it is replaced by the port."""
    environment: Mapping[str, str] = field(default_factory=dict)
    kind: str = "int8"
    """Whose answers are right, see `model.read_requests`."""
    path: str = "/classify/"


class Server:
    """A running server on some CPUs, or on all; ended when its `with` block is left."""

    def __init__(self, command: ServerCommand, cpus: set[int] | None, log: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}{command.path}"
        self.base = f"http://127.0.0.1:{port}"
        self._log = log
        self._started = time.perf_counter()
        with pinned(cpus), log.open("wb") as file:
            self._popen = subprocess.Popen(  # noqa: S603 - servers of this folder
                [word.format(port=port) for word in command.command],
                # the first start compiles bytecode, as the build of an image does
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", "PORT": str(port), **command.environment},
                stdout=file,
                stderr=file,
            )
        self.peak = 0.0
        """Largest memory of all its processes together, in MB; memory that they share counts in each."""
        self._stopped = threading.Event()
        self._watch = threading.Thread(target=self._watch_memory, daemon=True)

    def __enter__(self) -> Self:
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        processes = self._processes()
        self._popen.terminate()
        _, alive = psutil.wait_procs(processes, timeout=15)
        for process in alive:
            process.kill()
        self._popen.wait()

    def wait(self, request: Request) -> float:
        """Return the seconds from the start to the first right answer."""
        return self._wait_until(lambda client: _answers(client, self.url, request), "gave no right answer")

    def wait_ready(self) -> None:
        """Wait until its readiness check passes."""
        self._wait_until(_is_ready, "is not ready")

    def _wait_until(self, condition: Callable[[httpx.Client], bool], failure: str) -> float:
        with httpx.Client(base_url=self.base, timeout=DEADLINE, trust_env=False) as client:
            while not condition(client):
                if self._popen.poll() is not None or time.perf_counter() - self._started > DEADLINE:
                    output = self._log.read_text(encoding="utf-8", errors="replace")[-2000:]
                    raise ServerNotReady(f"{self._popen.args!r} {failure}. {output}")
                time.sleep(0.005)
            return time.perf_counter() - self._started

    def memory(self) -> float:
        """Return the memory of all its processes in MB."""
        resident = 0
        for process in self._processes():
            try:
                resident += process.memory_info().rss
            except psutil.NoSuchProcess:  # it has just ended
                continue
        return resident / 1e6

    def _processes(self) -> list[psutil.Process]:
        try:
            own = psutil.Process(self._popen.pid)
            return [own, *own.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _watch_memory(self) -> None:
        while not self._stopped.wait(WATCH_SECONDS):
            self.peak = max(self.peak, self.memory())


def _answers(client: httpx.Client, url: str, request: Request) -> bool:
    try:
        response = client.post(url, content=request.body, headers={"Content-Type": request.content_type})
    except httpx.TransportError:
        return False
    return response.status_code == httpx.codes.OK and request.is_right(response.json())


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port
