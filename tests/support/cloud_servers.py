"""Real services of this project in processes of their own."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.emulator import free_port
from tests.support.http import HOST


@contextmanager
def started(module: str, ready: str, **environment: str) -> Iterator[int]:
    """The port of `python -m MODULE`, which answers 200 on a path as soon as it is ready."""
    port = free_port()
    with running([sys.executable, "-m", module], {**os.environ, "PORT": str(port), **environment}, port, ready):
        yield port


@contextmanager
def running(command: list[str], environment: dict[str, str], port: int, ready: str) -> Iterator[None]:
    """The same for any command."""
    process = subprocess.Popen(command, env=environment)
    try:
        deadline = time.monotonic() + 90
        while not _answers(port, ready):
            assert process.poll() is None, f"{command} ended with {process.returncode}"
            assert time.monotonic() < deadline, f"{command} is not ready"
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _answers(port: int, path: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
