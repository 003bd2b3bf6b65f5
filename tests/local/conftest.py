"""Small modules that the supervisor's tests run as services, and the processes that run them."""

import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from animals.local.services import Service
from tests.support.emulator import free_port

WEB_SERVER = """
import http.server, os, signal, sys
signal.signal(signal.SIGTERM, lambda *_: (print("good bye", flush=True), sys.exit(0)))
print("hello from", os.environ["NAME"], flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), http.server.SimpleHTTPRequestHandler).serve_forever()
"""
FAILING = "import sys, time; time.sleep(0.5); print('out of milk', file=sys.stderr); sys.exit(3)"
IGNORING_SIGTERM = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('no', flush=True); time.sleep(60)"
)

MakeModule = Callable[[str], str]
MakeService = Callable[[str], Service]


@pytest.fixture
def make_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeModule:
    """Writes a module with some source, and returns its unique name, by which processes can run it."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def make(source: str) -> str:
        name = f"module_{uuid.uuid4().hex}"
        (tmp_path / f"{name}.py").write_text(source, encoding="utf-8")
        return name

    return make


@pytest.fixture
def web_server(make_module: MakeModule) -> MakeService:
    """Returns a service with some name that listens on a free port."""
    return lambda name: Service(name, make_module(WEB_SERVER), free_port(), health="/", environment={"NAME": name})


def processes_of(module: str) -> list[int]:
    pids = []
    for process in psutil.process_iter():
        try:
            if module in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                pids.append(process.pid)
        except psutil.NoSuchProcess:
            continue
    return pids


def assert_all_end(*modules: str) -> None:
    """Fail unless all processes that run these modules end within some seconds."""
    deadline = time.monotonic() + 20
    while running := [pid for module in modules for pid in processes_of(module)]:
        assert time.monotonic() < deadline, f"Still running: {running}"
        time.sleep(0.05)
