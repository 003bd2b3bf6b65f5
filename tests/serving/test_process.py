"""The real process: started, asked over the network, and ended."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from animals.storage import FolderStorage, open_storage
from tests.support.emulator import Emulator
from tests.support.http import Proxy, Response
from tests.support.load import whole_request
from tests.support.process import SERVING, Served, running
from tests.support.published import KEY, plain, publish


def refused(*, environment: dict[str, str], cwd: Path) -> tuple[int, str]:
    ended = subprocess.run(
        SERVING,
        env={**os.environ, **environment},
        cwd=cwd,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stderr


def test_it_starts_without_a_model_becomes_ready_and_ends_when_told(folder: FolderStorage, tmp_path: Path) -> None:
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_RELOAD_SECONDS="0.05") as process:
        assert httpx.get(f"{process.url}/healthz").status_code == 200
        assert httpx.get(f"{process.url}/readyz").status_code == 503
        publish(folder)
        process.wait_until_ready()
        answer = httpx.post(f"{process.url}/classify/", files={"file": ("lime.png", plain("lime"))})
        assert answer.json()["prediction"] == "green"
        assert "server" not in answer.headers
        assert process.end() == 0
        assert "Traceback" not in process.log


def test_uvicorns_own_command_starts_it_too(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder)
    command = (sys.executable, "-m", "uvicorn", "--factory", "animals.serving.app:create_app", "--port", "0")
    with running(tmp_path, *command, ANIMALS_BUCKET=folder.url) as process:
        process.wait_until_ready()
        answer = httpx.post(f"{process.url}/classify/", files={"file": plain("lime")})
        assert answer.json()["prediction"] == "green"


def test_ctrl_c_ends_it_quietly(folder: FolderStorage, tmp_path: Path) -> None:
    with running(tmp_path, ANIMALS_BUCKET=folder.url) as process:
        process.wait_for("(startup complete)")
        assert process.end(signal.SIGINT) == 0
        assert "Traceback" not in process.log


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to another process")
def test_a_request_in_progress_is_answered_after_sigterm(served: Served) -> None:
    request = whole_request(plain("lime"))
    with served() as process:
        with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
            connection.sendall(request[:-50])
            time.sleep(0.2)
            process.popen.send_signal(signal.SIGTERM)
            process.wait_for("(Waiting for connections to close)")
            connection.sendall(request[-50:])
            answer = connection.makefile("rb").read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b'"prediction":"green"' in answer
        assert process.popen.wait(10) == 0


def test_a_bucket_that_cannot_be_reached_keeps_it_alive_and_its_end_prompt(tmp_path: Path) -> None:
    with running(tmp_path, ANIMALS_BUCKET="gs://somewhere", STORAGE_EMULATOR_HOST="http://127.0.0.1:1") as process:
        assert httpx.get(f"{process.url}/healthz").status_code == 200
        assert httpx.get(f"{process.url}/readyz").status_code == 503
        assert process.end() == 0


def test_a_bucket_that_comes_back_makes_it_ready(emulator: Emulator, gcs_url: str, tmp_path: Path) -> None:
    publish(open_storage(gcs_url))
    away = threading.Event()
    away.set()

    def corrupt(response: Response) -> Response:
        return Response(503, b"away") if away.is_set() else response

    with (
        Proxy(emulator.port, corrupt) as proxy,
        running(
            tmp_path, ANIMALS_BUCKET=gcs_url, STORAGE_EMULATOR_HOST=proxy.url, ANIMALS_RELOAD_SECONDS="0.2"
        ) as process,
    ):
        process.wait_for("(Not ready, next check in 0.2 s: gs://.* cannot be reached)")
        assert "cannot be reached" in httpx.get(f"{process.url}/readyz").text
        away.clear()
        started = time.monotonic()
        process.wait_until_ready()
        assert time.monotonic() - started < 10
        answer = httpx.post(f"{process.url}/classify/", files={"file": plain("lime")})
        assert answer.json()["prediction"] == "green"


def test_bodies_without_an_end_or_with_a_wrong_length_are_refused(served: Served) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="cat.jpg"\r\n\r\n'
    with served(ANIMALS_MAX_UPLOAD_BYTES="50000") as process:
        with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
            connection.sendall(
                b"POST /classify/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            )
            with suppress(ConnectionError):  # the service hangs up
                for chunk in [head, *[bytes(1000)] * 60]:
                    connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            answer = connection.recv(10_000)  # although the body continues
        assert answer.startswith(b"HTTP/1.1 413")
        with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
            connection.sendall(b"POST /classify/ HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n")
            assert connection.recv(10_000).startswith(b"HTTP/1.1 400")
        assert httpx.get(f"{process.url}/healthz").status_code == 200
        assert "Traceback" not in process.log


def test_on_cloud_run_it_listens_to_all_and_logs_json_without_addresses(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder)
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_SECRET=KEY, K_SERVICE="backend") as process:
        assert "http://0.0.0.0:" in process.wait_for("(Listening on [^ ]+)")
        process.wait_until_ready()
        proxied = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        answer = httpx.get(process.url, headers=proxied)
        assert "https://127.0.0.1" in answer.json()["example"]
        assert process.end() == 0
        entries = [json.loads(line) for line in process.log.splitlines()]
    assert {entry["severity"] for entry in entries} == {"INFO"}
    assert any("r1 serves" in entry["message"] for entry in entries)
    assert "203.0.113.7" not in process.log


def test_an_impossible_setting_is_told_in_one_sentence(tmp_path: Path) -> None:
    code, words = refused(environment={"PORT": "http"}, cwd=tmp_path)
    assert code == 2
    assert words.startswith("error: The environment has impossible settings. PORT=http: ")
    assert words.count("\n") == 1


def test_a_port_in_use_is_told_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        code, words = refused(environment={"PORT": port, "ANIMALS_SECRET": KEY}, cwd=tmp_path)
    assert code == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in words
    assert "PORT=8001 python -m animals.serving" in words
    assert "Traceback" not in words


def test_the_help_names_the_settings_and_an_argument_is_refused(tmp_path: Path) -> None:
    asked = subprocess.run([*SERVING, "--help"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert all(name in asked.stdout for name in ("ANIMALS_BUCKET", "PORT", "ANIMALS_MAX_PIXELS", "[8000]"))
    wrong = subprocess.run([*SERVING, "--port", "9000"], cwd=tmp_path, capture_output=True, check=False)
    assert wrong.returncode == 2


def test_nothing_that_takes_long_is_imported_before_the_model_is_on_its_way() -> None:
    heavy = ["fastapi", "google.auth", "onnxruntime", "pandas", "torch", "onnx", "uvicorn"]
    found = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys, animals.serving.__main__; print([m for m in {heavy} if m in sys.modules])",
        ],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert found.stdout.strip() == "[]"


def test_a_running_service_has_no_library_that_it_does_not_need(served: Served, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, pathlib, sys\n"
        "atexit.register(lambda: pathlib.Path('modules').write_text(' '.join(sys.modules)))\n",
        encoding="utf-8",
    )
    with served(PYTHONPATH=str(tmp_path)) as process:
        assert httpx.post(f"{process.url}/classify/", files={"file": plain("red")}).status_code == 200
        assert process.end() == 0
    modules = set((tmp_path / "modules").read_text(encoding="utf-8").split())
    loaded = {module.partition(".")[0] for module in modules}
    assert "google.auth" not in modules  # "google" alone may be there: an installed package makes it at each start
    assert loaded & {"limits", "onnx", "pandas", "pyarrow", "ray", "rich", "scipy", "sklearn", "torch"} == set()
    assert {"httptools", "uvloop"} <= loaded
