"""Services that are started, shown and stopped together."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NoReturn

import psutil
import pytest
from rich.console import Console

from animals.errors import AnimalsError
from animals.local import supervisor
from animals.local.services import Service
from animals.local.supervisor import Supervisor, answers
from tests.local.conftest import FAILING, STUBBORN, Module, none_left, running
from tests.support.emulator import free_port

Answering = Callable[[str], Service]


class Shown(Console):
    """What a terminal would show."""

    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=40)

    @property
    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


def run(
    services: Sequence[Service],
    console: Console,
    then: Callable[[], object] = lambda: None,
    *,
    ready: Callable[[], bool] | None = None,
) -> NoReturn:
    """Start services, do something once they are ready, and wait."""
    with Supervisor(services, console) as running:
        running.until(ready, "not ready") if ready else running.wait_until_ready()
        then()
        running.watch()
    raise AssertionError


@pytest.fixture
def console() -> Shown:
    return Shown()


def test_each_line_bears_the_name_of_its_service_and_each_address_is_shown(
    answering: Answering, console: Shown
) -> None:
    services = [answering("backend"), replace(answering("page"), show="/begin")]
    with Supervisor(services, console) as running:
        running.wait_until_ready()
        assert all(answers(service.url) for service in services)
    lines = console.text.splitlines()
    assert {"backend | hello from backend", "page    | hello from page", "page    | good bye"} <= set(lines)
    assert f"backend  answers on {services[0].url}/" in lines
    assert f"page     answers on {services[1].url}/begin" in lines
    assert not any(answers(service.url) for service in services)
    assert none_left(*(service.module for service in services))


def test_a_service_that_ends_is_named_and_ends_the_others(answering: Answering, module: Module, console: Shown) -> None:
    good, bad = answering("backend"), Service("report", module(FAILING), free_port(), health="/")
    with pytest.raises(AnimalsError, match="The report has ended with exit code 3"):
        run([good, bad], console)
    assert "report  | out of milk" in console.text
    assert none_left(good.module, bad.module)


def test_a_service_that_is_killed_is_named_with_the_signal(answering: Answering, console: Shown) -> None:
    service = answering("page")
    with pytest.raises(AnimalsError, match="page has ended with signal SIGKILL"):
        run([service], console, lambda: psutil.Process(running(service.module)[0]).kill())


def test_a_service_that_never_answers_is_given_up(
    module: Module, console: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.5)
    silent = Service("page", module("import time; time.sleep(60)"), free_port(), health="/")
    with pytest.raises(AnimalsError, match="The page does not answer"), Supervisor([silent], console) as running:
        running.wait_until_ready()
    assert none_left(silent.module)


def test_a_port_in_use_is_told_and_nothing_is_started(answering: Answering, console: Shown) -> None:
    first, second = answering("backend"), answering("page")
    with (
        socket.create_server(("127.0.0.1", second.port)),
        pytest.raises(AnimalsError, match=rf"Cannot listen on .*:{second.port}: .*--page-port {second.port + 1}"),
        Supervisor([first, second], console),
    ):
        pytest.fail("It must not start.")
    assert not running(first.module)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_and_leaves_the_signals_as_they_were(
    number: signal.Signals, answering: Answering, console: Shown
) -> None:
    service, before = answering("backend"), signal.getsignal(number)
    threading.Timer(0.5, os.kill, (os.getpid(), number)).start()
    with pytest.raises(KeyboardInterrupt), Supervisor([service], console) as running:
        running.watch()
    assert none_left(service.module)
    assert signal.getsignal(number) is before


def test_a_second_signal_does_not_wait_for_what_will_not_end(module: Module, console: Shown) -> None:
    stubborn = Service("page", module(STUBBORN), free_port(), health="/")
    started = time.monotonic()

    def tell_twice() -> None:
        for seconds in (0.1, 0.5):
            threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGINT)).start()

    with pytest.raises(KeyboardInterrupt):
        run([stubborn], console, tell_twice, ready=lambda: "page    | no" in console.text)
    assert time.monotonic() - started < supervisor.STOP_SECONDS
    assert none_left(stubborn.module)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to another process")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3])
def test_whenever_it_is_killed_nothing_is_left(name: str, seconds: float, answering: Answering) -> None:
    services = [answering("backend"), answering("page")]
    code = f"""
from rich.console import Console
from animals.local.services import Service
from animals.local.supervisor import Supervisor
print("begins", flush=True)
with Supervisor({services!r}, Console()) as running:
    running.watch()
"""
    started = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert started.stdout
    started.stdout.readline()
    time.sleep(seconds)
    started.send_signal(signal.Signals[name])
    started.wait(20)
    started.stdout.close()
    assert none_left(*(service.module for service in services))
