"""`invoke up` and `invoke demo` as a person types them: with the real services."""

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
from animals.storage import FolderStorage
from tests.support.command import run
from tests.support.emulator import free_port

TINY = (
    *("data.sample_per_label=10", "data.side=32", "data.workers=0", "model.name=test_resnet", "trainer.epochs=1"),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled"),
)


def command(*words: str) -> tuple[list[str], dict[str, str]]:
    """A command line with ports that are free, and the addresses of the services."""
    ports = {name: free_port() for name in ("backend", "page", "report")}
    options = [f"--{name}-port={port}" for name, port in ports.items()]
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    return [sys.executable, "-m", "animals", *words, *options], urls


@contextmanager
def typed(folder: Path, words: list[str], until: str) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A command that runs and has said so much, with a group of its own that hears Ctrl-C."""
    with subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", start_new_session=True
    ) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if until in line:
                break
        try:
            yield process, said
        finally:
            process.kill()


def ctrl_c(process: "subprocess.Popen[str]") -> str:
    """What it says then, until its end."""
    assert process.stdout
    assert sys.platform != "win32"
    os.killpg(process.pid, signal.SIGINT)
    return process.stdout.read()


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder in which `demo --once` had to train first, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    words, _ = command("demo", "--once", *TINY)
    done = subprocess.run(words, cwd=folder, capture_output=True, encoding="utf-8", timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout + done.stderr


def test_a_demo_in_an_empty_folder_trains_serves_judges_reports_and_ends(once: tuple[Path, str]) -> None:
    folder, said = once
    bucket = FolderStorage(folder / "data" / "bucket")
    assert len(registry.versions(bucket)) == 1
    assert any("feedback" in name and name.endswith((".json", ".parquet")) for name in bucket.names())
    with zipfile.ZipFile(io.BytesIO((folder / "reports.zip").read_bytes())) as report:
        assert {"index.html", "summary.json"} <= set(report.namelist())
    assert "10 pictures were asked about" in said
    assert "10 were judged" in said
    assert (folder / "data" / "secret").is_file()
    assert not any((folder / "data" / "bucket").rglob("secret"))
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_a_demo_goes_on_until_ctrl_c_and_its_report_is_to_be_had(once: tuple[Path, str]) -> None:
    folder, _ = once
    words, urls = command("demo")
    with typed(folder, words, "Ctrl-C stops all.") as (process, said):
        for name, path in (("backend", "/docs"), ("page", "/"), ("report", "/generate_performance_report")):
            assert f"answers on {urls[name]}{path}" in said
            assert f"{name:<8}| " in said
        assert httpx.get(f"{urls['page']}/maintainer").status_code == 200
        report = httpx.get(f"{urls['report']}/generate_performance_report", timeout=300).raise_for_status()
        assert report.headers["content-type"] == "application/zip"
        last = ctrl_c(process)
        assert process.wait(30) == 0
    assert "All are stopped." in last
    assert "Traceback" not in said + last
    assert len(registry.versions(FolderStorage(folder / "data" / "bucket"))) == 1
    assert not any(answers(url) for url in urls.values())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT between processes")
def test_ctrl_c_in_the_training_of_a_demo_ends_the_training_too(tmp_path: Path) -> None:
    words, urls = command("demo", *TINY, "trainer.epochs=5000")
    with typed(tmp_path, words, "epoch") as (process, _):
        said = ctrl_c(process)  # read to the end: nobody holds the other end any more
        assert process.wait(30) == 130
    assert "interrupted" in said
    assert not any(answers(url) for url in urls.values())


def answers(url: str) -> bool:
    try:
        httpx.get(url)
    except httpx.TransportError:
        return False
    return True


def test_impossible_options_are_refused() -> None:
    for words in (["up", "--page-port=0"], ["up", "--page-port=x"], ["up", "--once"]):
        with pytest.raises(SystemExit) as ended:
            run(*words)
        assert ended.value.code == 2


def test_a_failed_training_is_told_and_nothing_is_started(tmp_path: Path) -> None:
    words, urls = command("demo", "optimizer.lrr=1")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert done.returncode == 1
    assert "There is no setting optimizer.lrr" in done.stderr
    assert "error: The training ended with exit code 2" in done.stderr
    assert not any(answers(url) for url in urls.values())
