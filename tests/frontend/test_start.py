"""The page's process: started, requested over HTTP, and ended."""

import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import httpx
import pytest

from animals.frontend.__main__ import APP
from animals.frontend.settings import PageSettings
from tests.support.process import FRONTEND, Process, running

CONFIG = tomllib.loads(APP.with_name(".streamlit").joinpath("config.toml").read_text(encoding="utf-8"))


def assert_healthy(page: Process) -> None:
    assert httpx.get(f"{page.url}/_stcore/health").text == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_listens_on_this_machine_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, *FRONTEND) as page:
        assert_healthy(page)
        assert "<title>" in httpx.get(page.url).text
        assert page.end(number) == 0
        assert "Traceback" not in page.log
        assert "External" not in page.log


def test_streamlits_own_command_uses_the_same_settings(tmp_path: Path) -> None:
    with running(tmp_path, sys.executable, "-m", "streamlit", "run", str(APP), "--server.port=0") as page:
        assert_healthy(page)
        assert "127.0.0.1" in page.log


def test_a_port_in_use_is_an_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        with running(tmp_path, *FRONTEND, PORT=port) as page:
            assert page.popen.wait(60) == 1
            assert f"Port {port} is not available" in page.log


def test_an_invalid_setting_is_named(tmp_path: Path) -> None:
    with running(tmp_path, *FRONTEND, ANIMALS_BACKEND="nowhere") as page:
        assert page.popen.wait(60) == 2
        assert "ANIMALS_BACKEND=nowhere" in page.log
        assert "Traceback" not in page.log


def test_help_lists_the_settings() -> None:
    done = subprocess.run([*FRONTEND, "--help"], capture_output=True, encoding="utf-8", check=True)
    assert "ANIMALS_BACKEND_SERVICE" in done.stdout


def test_no_usage_is_reported_and_no_traceback_shown() -> None:
    assert CONFIG["browser"]["gatherUsageStats"] is False
    assert CONFIG["client"]["showErrorDetails"] == "none"


def test_the_upload_limit_is_that_of_the_backend() -> None:
    assert CONFIG["server"]["maxUploadSize"] == PageSettings().max_upload_bytes // 2**20
