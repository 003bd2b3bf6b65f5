"""The README's first ten minutes, as they stand there, in a fresh clone and an empty home."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SERVICES = {
    "page": "http://localhost:8501",
    "backend": "http://localhost:8080/readyz",
    "report": "http://localhost:8082/healthz",
}


def commands(section: str) -> list[list[str]]:
    """The words of each command of a section, in order; what stands behind # is for people."""
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [words for line in "".join(blocks).splitlines() if (words := shlex.split(line, comments=True))]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What is committed."""
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "animals"], check=True)  # noqa: S607 - the one on the PATH
    return tmp_path / "animals"


@pytest.fixture
def environment(clone: Path) -> dict[str, str]:
    """Return the environment of a newcomer, with the packages that `uv run` would install."""
    home = clone.parent / "home"
    home.mkdir()
    return os.environ | {
        "HOME": str(home),
        "PYTHONPATH": str(clone / "src"),
        "UV_NO_SYNC": "1",
        "UV_PROJECT_ENVIRONMENT": sys.prefix,
    }


@contextmanager
def running(command: list[str], clone: Path, environment: dict[str, str]) -> Iterator[None]:
    """Services, until Ctrl-C."""
    assert sys.platform != "win32"
    process = subprocess.Popen(command, cwd=clone, env=environment, start_new_session=True)
    try:
        deadline = time.monotonic() + 120
        waiting = set(SERVICES)
        while waiting:
            assert time.monotonic() < deadline, f"{waiting} did not come"
            assert process.poll() is None, "it ended by itself"
            waiting = {name for name in waiting if not answers(SERVICES[name])}
            time.sleep(0.2)
        yield
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2).status_code < 500
    except httpx.HTTPError:
        return False


@pytest.mark.minutes
@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is sent as a POSIX terminal does")
@pytest.mark.skipif(shutil.which("uv") is None, reason="the README installs uv first, and it is not there")
def test_the_first_ten_minutes_work_in_a_fresh_clone(clone: Path, environment: dict[str, str]) -> None:
    install, *begin = commands("Ten minutes")
    assert install == ["pip", "install", "uv"]
    up = begin.index(["uv", "run", "invoke", "up"])
    for command in begin[:up]:
        # its fourteen epochs take five minutes of two CPUs, and two show as well that the command works
        fewer = ["--args", "trainer.epochs=2"] if command == ["uv", "run", "invoke", "train"] else []
        subprocess.run([*command, *fewer], cwd=clone, env=environment, check=True)
    with running(begin[up], clone, environment):
        *curls, transfer = begin[up + 1 :]
        outputs = [subprocess.run(curl, cwd=clone, capture_output=True, check=True).stdout for curl in curls]
        first = json.loads(outputs[0])
        subprocess.run(transfer, cwd=clone, env=environment, check=True)
        second = ask_another_version(curls[0], clone, first["model_version"])
    assert "index.html" in zipfile.ZipFile(clone / "report.zip").namelist()
    for answer in (first, second):
        assert len(answer["probabilities"]) == 10
        assert answer["prediction"] in answer["probabilities"]


def ask_another_version(command: list[str], clone: Path, first: str) -> dict[str, Any]:
    """Repeat a request until another version than the first answers it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        answer: dict[str, Any] = json.loads(subprocess.run(command, cwd=clone, capture_output=True, check=True).stdout)
        if answer["model_version"] != first:
            return answer
        time.sleep(1)
    raise AssertionError("the new version is not served")


def test_the_tests_are_run_by_the_command_that_it_names() -> None:
    assert ["uv", "run", "invoke", "test"] in commands("Contributing")
    assert "uv run invoke test --all\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
