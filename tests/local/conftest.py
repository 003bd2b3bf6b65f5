"""Small services for the supervisor: a web server of a few lines, and what is left of them."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from animals.local.services import Service
from tests.support.emulator import free_port

ANSWERING = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("good bye", flush=True), sys.exit(0)))
print("hello from", os.environ["NAME"], flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
FAILING = "import sys, time; time.sleep(0.5); print('out of milk', file=sys.stderr); sys.exit(3)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('no', flush=True); time.sleep(60)"

Module = Callable[[str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Module:
    """Makes a module of some source, which processes can run by the name that is returned; no other has that name."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str) -> str:
        name = f"module_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return name

    return make


@pytest.fixture
def answering(module: Module) -> Callable[[str], Service]:
    """Makes a service that answers on a free port."""
    return lambda name: Service(name, module(ANSWERING), free_port(), health="/", environment={"NAME": name})


def running(module: str) -> list[int]:
    """Processes that run a module."""
    found = []
    for process in psutil.process_iter():
        try:
            if module in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def none_left(*modules: str) -> bool:
    """Whether no process runs these modules any more, after a moment."""
    deadline = time.monotonic() + 20
    while left := [pid for module in modules for pid in running(module)]:
        if time.monotonic() > deadline:
            return not left
        time.sleep(0.05)
    return True
