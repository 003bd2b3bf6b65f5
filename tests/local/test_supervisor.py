"""Services that are started, shown and stopped together."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest
from rich.console import Console

from animals.errors import AnimalsError
from animals.local import supervisor
from animals.local.services import Service
from animals.local.supervisor import Supervisor, responds
from tests.local.conftest import (
    FAILING,
    IGNORING_SIGTERM,
    MakeModule,
    MakeService,
    assert_all_end,
    processes_of,
)
from tests.support.emulator import free_port


class RecordedConsole(Console):
    def __init__(self) -> None:
        super().__init__(file=io.StringIO(), width=40)

    @property
    def text(self) -> str:
        assert isinstance(self.file, io.StringIO)
        return self.file.getvalue()


@pytest.fixture
def console() -> RecordedConsole:
    return RecordedConsole()


def send_signal(number: signal.Signals, *, after: float) -> None:
    threading.Timer(after, os.kill, (os.getpid(), number)).start()


def test_output_has_the_name_of_its_service_and_addresses_are_shown(
    web_server: MakeService, console: RecordedConsole
) -> None:
    services = [web_server("backend"), replace(web_server("page"), home="/begin")]
    with Supervisor(services, console) as running:
        running.wait_until_ready()
        assert all(responds(service.url) for service in services)
    lines = console.text.splitlines()
    assert {"backend | hello from backend", "page    | hello from page", "page    | good bye"} <= set(lines)
    assert f"backend  runs on {services[0].url}/" in lines
    assert f"page     runs on {services[1].url}/begin" in lines
    assert not any(responds(service.url) for service in services)
    assert_all_end(*(service.module for service in services))


def test_a_service_that_ends_is_named_and_ends_the_others(
    web_server: MakeService, make_module: MakeModule, console: RecordedConsole
) -> None:
    good, bad = web_server("backend"), Service("report", make_module(FAILING), free_port(), health="/")
    with (
        pytest.raises(AnimalsError, match="The report ended with exit code 3"),
        Supervisor([good, bad], console) as running,
    ):
        running.run_until_signal()
    assert "report  | out of milk" in console.text
    assert_all_end(good.module, bad.module)


def test_a_service_that_is_killed_is_named_with_the_signal(web_server: MakeService, console: RecordedConsole) -> None:
    service = web_server("page")
    with Supervisor([service], console) as running:
        running.wait_until_ready()
        psutil.Process(processes_of(service.module)[0]).kill()
        with pytest.raises(AnimalsError, match="page ended with signal SIGKILL"):
            running.run_until_signal()


def test_a_service_that_does_not_respond_in_time_is_an_error(
    make_module: MakeModule, console: RecordedConsole, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.5)
    silent = Service("page", make_module("import time; time.sleep(60)"), free_port(), health="/")
    with pytest.raises(AnimalsError, match="The page does not respond"), Supervisor([silent], console) as running:
        running.wait_until_ready()
    assert_all_end(silent.module)


def test_a_port_in_use_is_an_error_and_nothing_is_started(web_server: MakeService, console: RecordedConsole) -> None:
    first, second = web_server("backend"), web_server("page")
    with (
        socket.create_server(("127.0.0.1", second.port)),
        pytest.raises(AnimalsError, match=rf"Cannot listen on .*:{second.port}: .*--page-port {second.port + 1}"),
        Supervisor([first, second], console),
    ):
        pytest.fail("It must not start.")
    assert not processes_of(first.module)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_services_and_the_handlers_are_restored(
    number: signal.Signals, web_server: MakeService, console: RecordedConsole
) -> None:
    service, handler = web_server("backend"), signal.getsignal(number)
    send_signal(number, after=0.5)
    with pytest.raises(KeyboardInterrupt), Supervisor([service], console) as running:
        running.run_until_signal()
    assert_all_end(service.module)
    assert signal.getsignal(number) is handler


def test_a_second_signal_kills_a_service_that_does_not_end(make_module: MakeModule, console: RecordedConsole) -> None:
    stubborn = Service("page", make_module(IGNORING_SIGTERM), free_port(), health="/")
    started = time.monotonic()
    with Supervisor([stubborn], console) as running:
        running.wait_until(lambda: "page    | no" in console.text, "It does not start.")
        for seconds in (0.1, 0.5):
            send_signal(signal.SIGINT, after=seconds)
        with pytest.raises(KeyboardInterrupt):
            running.run_until_signal()
    assert time.monotonic() - started < supervisor.STOP_SECONDS
    assert_all_end(stubborn.module)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to another process")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.3])
def test_no_service_is_left_whenever_the_supervisor_is_killed(
    number: signal.Signals, seconds: float, web_server: MakeService
) -> None:
    services = [web_server("backend"), web_server("page")]
    code = f"""
from rich.console import Console
from animals.local.services import Service
from animals.local.supervisor import Supervisor
print("begins", flush=True)
with Supervisor({services!r}, Console()) as running:
    running.run_until_signal()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(number)
    process.wait(20)
    process.stdout.close()
    assert_all_end(*(service.module for service in services))
