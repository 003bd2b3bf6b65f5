"""Start services, show what they say, and stop them all: when told to, or when one of them ends."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from types import FrameType, TracebackType
from typing import IO, Final, Self

import requests
from rich.console import Console
from rich.text import Text

from animals.config.settings import listen
from animals.errors import AnimalsError
from animals.local.child_process import release, start
from animals.local.services import HOST, Service

READY_SECONDS: Final = 180.0
"""After which what does not come counts as failed; on a busy machine a service takes half a minute to start."""

STOP_SECONDS: Final = 15.0
"""That services have to end by themselves."""

LOOK_SECONDS: Final = 0.2

COLOURS: Final = ("cyan", "magenta", "yellow")
"""Of the names before the lines, in turns."""

_SIGNALS: Final = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
]


@dataclass(frozen=True, slots=True)
class _Running:
    service: Service
    process: Popen[bytes]
    reader: threading.Thread
    """Shows what it says."""


class Supervisor:
    """Services that run as long as a `with` block does; only in the main thread, since it listens to signals.

    Inside the block SIGTERM is as Ctrl-C: KeyboardInterrupt. Whatever ends the block, the services end with it, and
    with this process even if it is killed.

    Args:
        services: to start.
        console: that shows what they say.

    Raises:
        AnimalsError: a port is taken; nothing was started.
    """

    def __init__(self, services: Sequence[Service], console: Console) -> None:
        self._services = services
        self._console = console
        self._running: list[_Running] = []
        self._told = 0
        self._quiet = True  # while it starts and stops, a signal is only counted
        self._before = [signal.getsignal(number) for number in _SIGNALS]

    def __enter__(self) -> Self:
        for service in self._services:
            listen((HOST, service.port), otherwise=f"--{service.name}-port {service.port + 1}").close()
        for number in _SIGNALS:
            signal.signal(number, self._on_signal)
        try:
            for service in self._services:
                self._start(service)
            self._quiet = False
            self._end_if_told()
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def check(self) -> None:
        """Look whether all services run.

        Raises:
            AnimalsError: one has ended; the message says which and how.
        """
        for it in self._running:
            if (code := it.process.poll()) is not None:
                it.reader.join(1)
                how = f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
                raise AnimalsError(f"The {it.service.name} has ended with {how}; what it said last is above.")

    def wait_until_ready(self) -> None:
        """Show the address of each service once it answers.

        Raises:
            AnimalsError: one has ended, or does not answer in time.
        """
        for service in self._services:
            self.until(partial(answers, service.url + service.health), f"The {service.name} does not answer.")
            self.say(f"{service.name:<8} answers on {service.url}{service.show}")

    def until(self, reached: Callable[[], bool], otherwise: str) -> None:
        """Wait until something is so, while all services run.

        Raises:
            AnimalsError: one has ended, or it is not so in time; the message is `otherwise`.
        """
        deadline = time.monotonic() + READY_SECONDS
        while not reached():
            self._pause()
            if time.monotonic() > deadline:
                raise AnimalsError(f"{otherwise} That was waited for {READY_SECONDS:.0f} s.")

    def watch(self) -> None:
        """Go on until a signal comes.

        Raises:
            AnimalsError: a service has ended.
        """
        while True:
            self._pause()

    def say(self, text: str) -> None:
        """Show a line of our own."""
        self._console.print(Text(text, style="bold"), soft_wrap=True)

    def _pause(self) -> None:
        self.check()
        time.sleep(LOOK_SECONDS)

    def _start(self, service: Service) -> None:
        settings = {"PORT": str(service.port), "PYTHONUNBUFFERED": "1", **service.environment}
        environment = {"ANIMALS_HOST": HOST, **os.environ, **settings}
        process = start(service.module, environment=environment, stdout=PIPE, stderr=STDOUT)
        colour = COLOURS[len(self._running) % len(COLOURS)]
        reader = threading.Thread(target=self._show, args=(service, process.stdout, colour), daemon=True)
        self._running.append(_Running(service, process, reader))
        reader.start()
        self._end_if_told()

    def _end_if_told(self) -> None:
        if self._told:
            raise KeyboardInterrupt

    def _show(self, service: Service, lines: IO[bytes], colour: str) -> None:
        with lines:
            for line in lines:
                text = line.decode(errors="replace").rstrip()
                self._console.print(Text.assemble((f"{service.name:<8}| ", colour), text), soft_wrap=True)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._told += 1
        if not self._quiet:
            self._quiet = True
            raise KeyboardInterrupt

    def _stop(self) -> None:
        """End all services, at once if a second signal comes."""
        self._quiet, told = True, self._told
        for it in self._running:
            release(it.process)
        deadline = time.monotonic() + STOP_SECONDS
        for it in self._running:
            while it.process.poll() is None and time.monotonic() < deadline and self._told == told:
                with suppress(TimeoutExpired):
                    it.process.wait(LOOK_SECONDS)
            it.process.kill()  # nothing, if it has ended
            it.process.wait()
            it.reader.join(1)
        for number, before in zip(_SIGNALS, self._before, strict=True):
            signal.signal(number, before)


def answers(url: str) -> bool:
    """Whether a service answers anything but a failure."""
    with requests.Session() as session:
        session.trust_env = False  # a proxy is for other machines
        try:
            return bool(session.get(url, timeout=2).status_code < requests.codes.server_error)
        except requests.RequestException:
            return False
