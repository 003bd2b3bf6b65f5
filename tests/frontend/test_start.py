"""The real process: started, asked over the network, and ended."""

import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from animals.frontend import __main__ as start
from animals.frontend.settings import PageSettings
from tests.support.process import Process, running

FRONTEND = (sys.executable, "-m", "animals.frontend")
CONFIG = tomllib.loads(start.APP.with_name(".streamlit").joinpath("config.toml").read_text(encoding="utf-8"))


def wait_until_up(page: Process) -> None:
    assert httpx.get(f"{page.url}/_stcore/health").text == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_and_ends_when_told(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, *FRONTEND) as page:
        wait_until_up(page)
        assert "<title>" in httpx.get(page.url).text
        assert page.end(number) == 0
        assert "Traceback" not in page.log
        assert "External" not in page.log


def test_streamlits_own_command_starts_it_with_the_same_settings(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "streamlit", "run", str(start.APP), "--server.port=0")
    with running(tmp_path, *command) as page:
        wait_until_up(page)
        assert "127.0.0.1" in page.log


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with running(tmp_path, *FRONTEND, PORT=port) as page:
            assert page.popen.wait(60) == 1
            assert f"Port {port} is not available" in page.log


def test_an_impossible_setting_is_named(tmp_path: Path) -> None:
    with running(tmp_path, *FRONTEND, ANIMALS_BACKEND="nowhere") as page:
        assert page.popen.wait(60) == 2
        assert "ANIMALS_BACKEND=nowhere" in page.log
        assert "Traceback" not in page.log


def test_its_help_lists_the_settings() -> None:
    done = subprocess.run([*FRONTEND, "--help"], capture_output=True, encoding="utf-8", check=True)
    assert "ANIMALS_BACKEND_SERVICE" in done.stdout


def test_nothing_is_told_to_anybody_and_no_traceback_is_shown() -> None:
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_uploads_may_be_as_large_as_the_backend_reads() -> None:
    assert CONFIG["server"]["maxUploadSize"] == PageSettings().max_upload_bytes // 2**20
