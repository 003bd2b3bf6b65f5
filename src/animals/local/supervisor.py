"""Start services, show their output, and stop all of them after a signal or when one of them ends."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from types import FrameType
from typing import IO, Final, Self

import requests
from rich.console import Console
from rich.text import Text

from animals.config.settings import listen
from animals.errors import AnimalsError
from animals.local.child_process import request_end, start
from animals.local.services import HOST, Service

READY_SECONDS: Final = 180.0
"""Time limit for a service to start; on a busy machine it takes half a minute."""

STOP_SECONDS: Final = 15.0
"""Time limit for the services to end, before they are killed."""

POLL_SECONDS: Final = 0.2

COLOURS: Final = ("cyan", "magenta", "yellow")

_SIGNALS: Final = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]


@dataclass(frozen=True, slots=True)
class _Child:
    """A running service, and the thread that prints its output."""

    service: Service
    process: Popen[bytes]
    printer: threading.Thread


class Supervisor:
    """Services that run during a `with` block, in the main thread because it handles signals.

    In the block SIGTERM raises KeyboardInterrupt like Ctrl-C. The services end with the block, and with this process
    even if it is killed. If a port is not available, nothing is started.
    """

    def __init__(self, services: Sequence[Service], console: Console) -> None:
        self._services = services
        self._console = console
        self._children: list[_Child] = []
        self._signals = 0
        self._deferring = True  # while services start and stop, a signal is only counted
        self._handlers = [signal.getsignal(number) for number in _SIGNALS]

    def __enter__(self) -> Self:
        for service in self._services:
            listen((HOST, service.port), otherwise=f"--{service.name}-port {service.port + 1}").close()
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        try:
            for service in self._services:
                self._start(service)
                self._raise_if_signalled()
            self._deferring = False
            self._raise_if_signalled()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def check(self) -> None:
        """Raise AnimalsError if a service has ended; the message says which and how."""
        for child in self._children:
            if (code := child.process.poll()) is not None:
                child.printer.join(1)
                how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
                raise AnimalsError(f"The {child.service.name} ended with {how}. Its output above gives the reason.")

    def wait_until_ready(self) -> None:
        """Wait until each service responds, and print its address."""
        for service in self._services:
            ready = partial(responds, service.url + service.health)
            self.wait_until(ready, f"The {service.name} does not respond.")
            self.print(f"{service.name:<8} runs on {service.url}{service.home}")

    def wait_until(self, condition: Callable[[], bool], failure: str) -> None:
        """Wait until a condition is true, while all services run; if it takes too long, raise with the failure."""
        deadline = time.monotonic() + READY_SECONDS
        while not condition():
            self._pause()
            if time.monotonic() > deadline:
                raise AnimalsError(f"{failure} Waited for {READY_SECONDS:.0f} s.")

    def run_until_signal(self) -> None:
        """Wait for a signal, which raises KeyboardInterrupt; raise AnimalsError if a service ends."""
        while True:
            self._pause()

    def print(self, text: str) -> None:
        """Print a line that is no service's output."""
        self._console.print(Text(text, style="bold"), soft_wrap=True)

    def _pause(self) -> None:
        self.check()
        time.sleep(POLL_SECONDS)

    def _start(self, service: Service) -> None:
        settings = {"PORT": str(service.port), "PYTHONUNBUFFERED": "1", **service.environment}
        environment = {"ANIMALS_HOST": HOST, **os.environ, **settings}
        process = start(service.module, environment=environment, stdout=PIPE, stderr=STDOUT)
        colour = COLOURS[len(self._children) % len(COLOURS)]
        printer = threading.Thread(target=self._print_output, args=(service, process.stdout, colour), daemon=True)
        self._children.append(_Child(service, process, printer))
        printer.start()

    def _print_output(self, service: Service, lines: IO[bytes], colour: str) -> None:
        with lines:
            for line in lines:
                text = line.decode(errors="replace").rstrip()
                self._console.print(Text.assemble((f"{service.name:<8}| ", colour), text), soft_wrap=True)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1
        if not self._deferring:
            self._deferring = True
            raise KeyboardInterrupt

    def _raise_if_signalled(self) -> None:
        if self._signals:
            raise KeyboardInterrupt

    def _stop(self) -> None:
        """End all services; kill them when the time is over or another signal is received."""
        self._deferring, signals = True, self._signals
        for child in self._children:
            request_end(child.process)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            while child.process.poll() is None and time.monotonic() < deadline and self._signals == signals:
                with suppress(TimeoutExpired):
                    child.process.wait(POLL_SECONDS)
            child.process.kill()  # no effect on a process that has ended
            child.process.wait()
            child.printer.join(1)
        for number, handler in zip(_SIGNALS, self._handlers, strict=True):
            signal.signal(number, handler)


def responds(url: str) -> bool:
    """Return whether a service responds with a status under 500."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy for this machine
        try:
            return bool(session.get(url, timeout=2).status_code < requests.codes.server_error)
        except requests.RequestException:
            return False
