"""The report as a function: a folder that runs by itself, and the command that deploys it."""

import os
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest

from animals.cloud import function, smoke
from animals.cloud.smoke import Client
from animals.cloud.target import REPORT, Target
from animals.errors import ConfigError
from animals.monitoring.settings import ReportSettings
from animals.storage import FolderStorage
from tests.support.command import run
from tests.support.emulator import free_port
from tests.support.flags import Flags
from tests.support.http import HOST
from tests.support.process import running
from tests.support.records import make_feedback, publish, put_feedback

TARGET = Target(project="my-animals")

PYTHON = (sys.executable, "-S")
"""Python without the additions of the virtual environment to the path, which include this checkout."""


@pytest.fixture
def _without_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment in which Python finds libraries, but nothing of this checkout."""
    for name in [name for name in os.environ if name.startswith(("PYTHON", "COVERAGE"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PYTHONPATH", sysconfig.get_path("purelib"))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")


@pytest.mark.usefixtures("_without_checkout")
def test_the_folder_makes_a_report_by_itself(tmp_path: Path) -> None:
    folder, bucket, port = function.assemble(tmp_path / "function"), FolderStorage(tmp_path / "bucket"), free_port()
    publish(bucket)
    now = datetime.now(UTC)
    put_feedback(bucket, *(make_feedback(str(number), answered=now, time=now) for number in range(3)))
    source = ("--source", str(folder / "main.py"), "--target", function.TARGET)
    command = (*PYTHON, "-m", "functions_framework", *source, "--host", HOST, "--port", str(port))
    with running(tmp_path, *command, ANIMALS_BUCKET=bucket.url) as process:
        process.wait_until_ready(f"http://{HOST}:{port}/healthz")
        smoke.report(Client(f"http://{HOST}:{port}", ""))
        # on Google Cloud the function's own address is the report's
        with urllib.request.urlopen(f"http://{HOST}:{port}/", timeout=120) as answer:
            names = zipfile.ZipFile(BytesIO(answer.read())).namelist()
    assert {"index.html", "summary.json"} <= set(names)


@pytest.mark.usefixtures("_without_checkout")
def test_nothing_else_of_this_checkout_is_found_there(tmp_path: Path) -> None:
    done = subprocess.run([*PYTHON, "-c", "import animals"], cwd=tmp_path, capture_output=True, check=False)
    assert b"No module named 'animals'" in done.stderr, "the test above would prove nothing"


def test_the_command_writes_what_the_report_imports_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "function"
    run("function", str(folder))
    assert "--target generate_performance_report" in capsys.readouterr().out
    rooms = {path.name for path in (folder / "animals").iterdir() if path.is_dir()}
    assert {"monitoring", "config"} <= rooms
    assert not rooms & {"training", "serving", "frontend", "data", "cloud", "bulk", "local"}
    assert not (folder / "animals" / "config" / "training.py").exists()
    assert not (folder / "animals" / "monitoring" / "retrain_check.py").exists(), "the retrain check runs as a job"
    pinned = (Path(__file__).parents[2] / "requirements_report.txt").read_bytes()
    assert (folder / "requirements.txt").read_bytes() == pinned
    (folder / "animals" / "old.py").touch()
    run("function", str(folder))
    assert not (folder / "animals" / "old.py").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work", encoding="utf-8")
    with pytest.raises(ConfigError, match="contains something else than a function"):
        function.assemble(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be"):
        function.assemble(tmp_path / "file" / "function")


@pytest.mark.parametrize("first", [True, False])
def test_a_revision_is_private_without_traffic_unless_it_is_the_first_and_gets_settings_that_it_knows(
    flags: Flags, tmp_path: Path, first: bool
) -> None:
    words = function.deploy(TARGET, tmp_path, f"{REPORT}-abc", first=first).words
    flags.check([words])
    assert ("--no-traffic" in words) is not first
    assert "--no-allow-unauthenticated" in words
    assert "--service-account=animals-report@my-animals.iam.gserviceaccount.com" in words
    assert "--revision-suffix=abc" in words
    [given] = [word for word in words if word.startswith("--set-env-vars=")]
    name, _, value = given.removeprefix("--set-env-vars=").partition("=")
    assert name.removeprefix("ANIMALS_").lower() in ReportSettings.model_fields
    assert value == "gs://my-animals-animals"
