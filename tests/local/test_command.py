"""`invoke up` and `invoke demo` with the real services."""

import io
import os
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from animals import registry
from animals.local.supervisor import responds
from animals.storage import FolderStorage
from tests.support.command import run
from tests.support.emulator import free_port

TINY = (
    *("data.sample_per_label=10", "data.side=32", "data.workers=0", "model.name=test_resnet", "trainer.epochs=1"),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled"),
)


def command(*words: str) -> tuple[list[str], dict[str, str]]:
    ports = {name: free_port() for name in ("backend", "page", "report")}
    options = [f"--{name}-port={port}" for name, port in ports.items()]
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    return [sys.executable, "-m", "animals", *words, *options], urls


@contextmanager
def started(folder: Path, words: list[str], until: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start a command in a process group of its own, which can receive Ctrl-C, and read its output until a line."""
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", start_new_session=True
    ) as process:
        assert process.stdout
        output = ""
        for line in process.stdout:
            output += line
            if until in line:
                break
        try:
            yield process, output
        finally:
            process.kill()


def press_ctrl_c(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    assert sys.platform != "win32"
    os.killpg(process.pid, signal.SIGINT)
    return process.stdout.read()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder and the output of `demo --once`, which trains first."""
    folder = tmp_path_factory.mktemp("demo")
    words, _ = command("demo", "--once", *TINY)
    done = subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout + done.stderr


def test_a_demo_in_an_empty_folder_trains_serves_gives_feedback_reports_and_ends(once: tuple[Path, str]) -> None:
    folder, output = once
    bucket = FolderStorage(folder / "data" / "bucket")
    assert len(registry.versions(bucket)) == 1
    assert any("feedback" in name and name.endswith((".json", ".parquet")) for name in bucket.names())
    with zipfile.ZipFile(io.BytesIO((folder / "reports.zip").read_bytes())) as report:
        assert {"index.html", "summary.json"} <= set(report.namelist())
    assert "10 pictures were classified" in output
    assert "10 have feedback" in output
    assert (folder / "data" / "secret").is_file()
    assert not any((folder / "data" / "bucket").rglob("secret"))
    assert "Traceback" not in output


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_a_demo_runs_until_ctrl_c_and_serves_its_report(once: tuple[Path, str]) -> None:
    folder, _ = once
    words, urls = command("demo")
    with started(folder, words, "Ctrl-C stops all services.") as (process, output):
        for name, path in (("backend", "/docs"), ("page", "/"), ("report", "/generate_performance_report")):
            assert f"runs on {urls[name]}{path}" in output
            assert f"{name:<8}| " in output
        assert httpx.get(f"{urls['page']}/maintainer").status_code == 200
        report = httpx.get(f"{urls['report']}/generate_performance_report", timeout=300).raise_for_status()
        assert report.headers["content-type"] == "application/zip"
        last = press_ctrl_c(process)
        assert process.wait(30) == 0
    assert "All services are stopped." in last
    assert "Traceback" not in output + last
    assert len(registry.versions(FolderStorage(folder / "data" / "bucket"))) == 1
    assert not any(responds(url) for url in urls.values())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_ctrl_c_during_the_training_of_a_demo_ends_the_training_too(tmp_path: Path) -> None:
    words, urls = command("demo", *TINY, "trainer.epochs=5000")
    with started(tmp_path, words, "epoch") as (process, _):
        output = press_ctrl_c(process)  # read to the end: no process holds the pipe any more
        assert process.wait(30) == 130
    assert "interrupted" in output
    assert not any(responds(url) for url in urls.values())


def test_invalid_options_are_refused() -> None:
    for words in (["up", "--page-port=0"], ["up", "--page-port=x"], ["up", "--once"]):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 2


def test_after_a_failed_training_nothing_is_started(tmp_path: Path) -> None:
    words, urls = command("demo", "optimizer.lrr=1")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 1
    assert "There is no setting optimizer.lrr" in done.stderr
    assert "error: The training ended with exit code 2" in done.stderr
    assert not any(responds(url) for url in urls.values())
