"""Start a command as a process of its own, wait for it and end it."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

SERVING = (sys.executable, "-m", "animals.serving")
FRONTEND = (sys.executable, "-m", "animals.frontend")


class Process:
    """A service that listens."""

    def __init__(self, popen: subprocess.Popen[bytes], log: Path) -> None:
        self.popen = popen
        self._log = log

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def wait_for(self, pattern: str) -> str:
        """Wait for a line of the log; what the pattern's group found in it."""
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, self.log)):
            assert self.popen.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return found[1]

    @property
    def port(self) -> int:
        return int(self.wait_for(r"http://[0-9.]+:(\d+)"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_ready(self, url: str = "") -> None:
        """Wait until the response at a URL, by default that of /readyz, is 200."""
        url = url or f"{self.url}/readyz"
        deadline = time.monotonic() + 90
        while not _is_ready(url):
            assert self.popen.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if sys.platform == "win32":
            pytest.skip("Windows has no signals that tell another process to end; until here it went well.")
        self.popen.send_signal(number)
        return self.popen.wait(9)  # Cloud Run kills after ten


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.TransportError:
        return False


Served = Callable[..., AbstractContextManager[Process]]
"""Type of the fixture that starts the backend with a published model and these variables."""


@contextmanager
def running(tmp_path: Path, *command: str, **environment: str) -> Iterator[Process]:
    log = tmp_path / "log"
    with log.open("wb") as file:
        popen = subprocess.Popen(
            command or SERVING, env={**os.environ, "PORT": "0", **environment}, stdout=file, stderr=file, cwd=tmp_path
        )
    try:
        yield Process(popen, log)
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()
