"""Docker, or podman in its place: what the tests of the images need of it."""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.support.environments import ROOT

BASE: Final = "docker.io/library/python:3.11-slim"

WANTED: Final = "ANIMALS_CONTAINERS" in os.environ
"""Whether tests fail where no container can be run."""

PULL: Final = 600
"""Seconds for the first run where a container is demanded, which brings the base image."""

QUICK: Final = 60
"""Seconds for a look whether the tool works, the base image's download included."""

LIMITS: Final = ("--memory", "1g", "--cpus", "1", "--read-only", "--tmpfs", "/tmp")  # noqa: S108 - in the container
"""What a service gets where it is deployed."""

_PODMAN_RUN: Final = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
"""By default it asks for more than a machine may allow."""

_PODMAN_BUILD: Final = ("--format", "docker", "--isolation", "chroot", "--network", "host")
"""Docker's form knows health checks; and a build needs no more rights than a container has."""


class Tool:
    """A command-line tool of containers.

    Args:
        command: with the options that each call has.
        podman: whether it is podman under any name.
        build: options of each build.
        run: options of each container.
    """

    def __init__(
        self, command: Sequence[str], *, podman: bool = False, build: Sequence[str] = (), run: Sequence[str] = ()
    ) -> None:
        self._command = command
        self._podman = podman
        self._options = {"build": build, "run": run}

    def __call__(self, *words: str | Path, seconds: float = 600) -> str:
        """What a command prints on stdout."""
        verb, *rest = words
        done = subprocess.run(
            [*self._command, verb, *self._options.get(str(verb), ()), *rest],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
        said = re.sub(r"[a-z+]+://[^\s\"'`]+", "<address>", f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
        assert done.returncode == 0, f"{words}: {said}"  # installers name addresses, which a log is no place for
        return done.stdout.strip()

    def build(self, name: str, context: Path = ROOT, tag: str = "", **arguments: str) -> str:
        """The tag of an image, built from `dockerfiles/<name>.dockerfile`."""
        tag = tag or f"animals-test-{name}"
        given = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        file = context / "dockerfiles" / f"{name}.dockerfile"
        self("build", *given, "--tag", tag, "--file", file, context)
        return tag

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        """All that it knows of an image or container."""
        found: dict[str, Any] = json.loads(self(kind, "inspect", name))[0]
        return found

    @contextmanager
    def running(self, image: str, *options: str) -> Iterator["Container"]:
        """A container under the limits of a service, gone after the block."""
        ready = ("--network", "host", "--health-interval", "2s", "--health-start-period", "60s")
        container = Container(self, self("run", "--detach", *LIMITS, *ready, *options, image).splitlines()[-1])
        try:
            yield container
        finally:
            self("rm", "--force", container.id)

    def log(self, container: str) -> str:
        """What a container said on stdout, then on stderr."""
        done = subprocess.run([*self._command, "logs", container], capture_output=True, check=False)
        return (done.stdout + done.stderr).decode(errors="replace")

    def health(self, container: str) -> str:
        """As its own check says."""
        if self._podman:  # which leaves it to systemd to look, where there is one
            words = [*self._command, "healthcheck", "run", container]
            done = subprocess.run(words, capture_output=True, check=False)
            return "healthy" if done.returncode == 0 else "starting"
        return str(self.inspect("container", container)["State"]["Health"]["Status"])


class Container:
    """One that was started."""

    def __init__(self, tool: Tool, identity: str) -> None:
        self._tool = tool
        self.id = identity

    def wait_until_healthy(self) -> None:
        self._wait(lambda: self._tool.health(self.id) == "healthy")

    def wait_until_it_answers(self, url: str) -> None:
        self._wait(lambda: _is_ok(url))

    def _wait(self, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not ready():
            assert self._state()["Running"], self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.2)

    def end(self) -> tuple[int, float]:
        """Send SIGTERM; its exit code, and the seconds that it took. After ten it is killed, as on Cloud Run."""
        started = time.monotonic()
        self._tool("stop", "--time", "10", self.id)
        return int(self._state()["ExitCode"]), time.monotonic() - started

    def log(self) -> str:
        return self._tool.log(self.id)

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = self._tool.inspect("container", self.id)["State"]
        return state


def _is_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).is_success
    except httpx.HTTPError:
        return False


@cache
def find_tool() -> Tool | str:
    """Docker or podman that runs containers here, or why there is none."""
    if os.name == "nt":
        return "On Windows, containers do not share the machine's network."
    reasons = []
    for name in ("docker", "podman"):
        if (path := shutil.which(name)) is None:
            reasons.append(f"{name} is not installed")
            continue
        if name == "docker":
            says = subprocess.run([path, "--version"], capture_output=True, encoding="utf-8", check=False).stdout
            tool = Tool([path], podman="podman" in says)
        else:
            runtime = [] if shutil.which("crun") or not shutil.which("runc") else ["--runtime", "runc"]
            tool = Tool([path, *runtime], podman=True, build=_PODMAN_BUILD, run=_PODMAN_RUN)
        if not (problem := _try(tool)):
            return tool
        reasons.append(f"{name} {problem}")
    return f"No container can be run here: {'; '.join(reasons)}."


def _try(tool: Tool) -> str:
    """What keeps a container from running, or nothing."""
    try:
        tool("run", "--rm", "--network", "none", BASE, "python", "-c", "", seconds=PULL if WANTED else QUICK)
    except (AssertionError, subprocess.TimeoutExpired):
        return f"does not answer, or cannot run {BASE}"
    return ""


def tool_or_skip() -> Tool:
    """Skip a test where no container can be run, unless the environment demands that one can."""
    found = find_tool()
    if isinstance(found, str):
        (pytest.fail if WANTED else pytest.skip)(found)
    return found
