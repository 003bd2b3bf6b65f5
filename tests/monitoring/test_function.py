"""The report function, in functions-framework's own application and as a process."""

import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
from functions_framework import create_app
from werkzeug.test import Client

import animals.monitoring
from animals.api import Summary
from animals.monitoring.report import LATEST
from animals.monitoring.settings import MAX_REPORTS
from animals.prediction_records import Feedback
from animals.storage import FolderStorage, Storage, open_storage
from tests.support.emulator import free_port
from tests.support.process import running
from tests.support.published import until
from tests.support.records import make_feedback, make_prediction, publish, put_feedback, put_predictions

SOURCE = Path(animals.monitoring.__file__).with_name("main.py")
TARGET = "generate_performance_report"
FRAMEWORK = (sys.executable, "-m", "functions_framework", "--source", str(SOURCE), "--target", TARGET)
JSON = f"/{TARGET}?format=json"


@pytest.fixture
def client(folder: FolderStorage, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("ANIMALS_BUCKET", folder.url)
    monkeypatch.setenv("FUNCTION_TARGET", TARGET)  # the framework sets these
    monkeypatch.setenv("FUNCTION_SIGNATURE_TYPE", "http")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setitem(sys.modules, "main", sys)
    return create_app(TARGET, str(SOURCE)).test_client()  # type: ignore[no-any-return, no-untyped-call]


def today(*ids: str, label: str = "ant") -> list[Feedback]:
    now = datetime.now(UTC)
    return [make_feedback(identity, label, answered=now, time=now) for identity in ids]


def fill(storage: Storage, *, judgements: int = 40, answers: int = 200) -> None:
    publish(storage, created=datetime.now(UTC) - timedelta(days=3))
    put_feedback(storage, *today(*(f"{number:03}" for number in range(judgements))))
    random = np.random.default_rng(0)
    put_predictions(
        storage, (make_prediction(f"{number}", random, time=datetime.now(UTC)) for number in range(answers))
    )


def test_the_summary_is_json(client: Client, folder: FolderStorage) -> None:
    fill(folder)
    answer = client.get(JSON)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    summary = Summary.model_validate_json(answer.data)
    assert (summary.days, summary.version) == (7, "r1")
    assert (summary.feedback.records, summary.predictions.records) == (40, 200)
    assert not [name for name in folder.names() if name.startswith("reports/")], "a summary is not stored"


@pytest.mark.parametrize("path", ["/", f"/{TARGET}", f"/{TARGET}/"])
def test_the_report_is_at_its_name_and_at_the_function_s_own_address(
    client: Client, folder: FolderStorage, path: str
) -> None:
    publish(folder)
    assert client.get(f"{path}?format=json&days=3").get_json()["days"] == 3


def test_it_is_alive_without_a_model(client: Client) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}


def test_a_version_can_be_chosen(client: Client, folder: FolderStorage) -> None:
    publish(folder)
    publish(folder, "r2")
    put_feedback(folder, *today("a"))
    assert client.get(JSON).get_json()["version"] == "r2"
    old = client.get(f"{JSON}&version=r1").get_json()
    assert (old["version"], old["feedback"]["records"]) == ("r1", 1)


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("days=0", "days: Input should be greater than or equal to 1"),
        ("days=91", "days: Input should be less than or equal to 90"),
        ("days=x", "days: Input should be a valid integer"),
        ("days=7&days=8", "days: Input should be a valid integer"),
        ("days=", "days: Input should be a valid integer"),
        ("day=7", "day: Extra inputs are not permitted"),
        ("format=pdf", "format: Input should be 'zip' or 'json'"),
        ("version=", "version: String should match pattern"),
        ("version=../../x", "version: String should match pattern"),
    ],
)
def test_an_impossible_parameter_is_answered_with_400(client: Client, query: str, reason: str) -> None:
    answer = client.get(f"/{TARGET}?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["detail"].startswith(reason)
    assert answer.get_json()["detail"].endswith("Expected days=1 to days=90, version= or format=json.")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/somewhere", 404), ("POST", f"/{TARGET}", 405), ("DELETE", "/", 405), ("POST", "/metrics", 405)],
)
def test_another_path_or_method_is_refused_as_json(client: Client, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method)
    assert answer.status_code == status
    assert list(answer.get_json()) == ["detail"]
    assert answer.headers.get("Allow") == ("GET" if status == 405 else None)


def test_without_a_version_or_with_an_unknown_one_it_is_404(client: Client, folder: FolderStorage) -> None:
    answer = client.get(f"/{TARGET}")
    assert answer.status_code == 404
    assert "No model is published" in answer.get_json()["detail"]
    publish(folder)
    answer = client.get(f"/{TARGET}?version=r9")
    assert answer.status_code == 404
    assert "has no version r9" in answer.get_json()["detail"]


def test_without_any_record_there_is_a_summary_but_no_report(client: Client, folder: FolderStorage) -> None:
    publish(folder)
    assert client.get(JSON).get_json()["feedback"]["needed"] == 30
    answer = client.get(f"/{TARGET}")
    assert answer.status_code == 404
    assert "A performance report needs 30 feedback records" in answer.get_json()["detail"]
    assert not [name for name in folder.names() if name.startswith("reports/")]


def test_a_broken_parquet_file_is_409(client: Client, folder: FolderStorage) -> None:
    publish(folder)
    folder.write(f"compacted/feedback/date={datetime.now(UTC):%Y-%m-%d}.parquet", b"no table")
    answer = client.get(JSON)
    assert answer.status_code == 409
    assert "cannot be read" in answer.get_json()["detail"]


def test_an_unavailable_bucket_is_503_with_retry_after(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:1")
    monkeypatch.setenv("ANIMALS_BUCKET", "gs://nowhere")
    monkeypatch.setattr(sys.modules["main"], "STORAGE_SECONDS", 0.1)
    answer = client.get(JSON)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.get_json()["detail"]
    assert answer.headers["Retry-After"] == "5"


def test_too_many_reports_at_a_time_are_503_and_other_requests_succeed(client: Client, folder: FolderStorage) -> None:
    fill(folder, judgements=2, answers=2)
    main = sys.modules["main"]  # as the framework has loaded it
    with ThreadPoolExecutor(MAX_REPORTS) as pool:
        with main._reading:
            waiting = [pool.submit(client.get, JSON) for _ in range(MAX_REPORTS)]
            until(lambda: main._slots._value == 0)
            refused = client.get(JSON)
            assert client.get("/healthz").status_code == 200
        assert [future.result().status_code for future in waiting] == [200] * MAX_REPORTS
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, str(main.BUSY_SECONDS))
    assert client.get(JSON).status_code == 200


def test_an_impossible_setting_is_500(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", "s3://nowhere")
    answer = client.get(JSON)
    assert answer.status_code == 500
    assert "neither a local folder nor of the form gs://" in answer.get_json()["detail"]


def test_the_newest_report_is_exported_as_metrics(client: Client, folder: FolderStorage) -> None:
    publish(folder)
    assert client.get("/metrics").status_code == 200
    put_feedback(folder, *today("a", "b"), *today("c", label="bee"))
    assert client.get(f"/{TARGET}").status_code == 200
    answer = client.get("/metrics")
    assert answer.mimetype == "text/plain"
    assert "animals_feedback_records 3.0" in answer.text


def test_with_few_records_the_pages_say_what_is_missing(client: Client, folder: FolderStorage) -> None:
    fill(folder, judgements=3, answers=4)
    answer = client.get(f"/{TARGET}")
    assert answer.status_code == 200
    with zipfile.ZipFile(BytesIO(answer.data)) as file:
        assert b"27 are missing" in file.read("performance.html")
        reason = json.loads(file.read("summary.json"))["drift"]["reason"]
        assert reason.startswith("Too few pictures")
        assert reason in file.read("drift.html").decode()
    assert client.get(f"/{TARGET}?version=r1").status_code == 200
    reports = {name.split("/")[1] for name in folder.names("reports/") if name != LATEST}
    assert len(reports) == 2


def test_a_summary_imports_no_heavy_library(folder: FolderStorage) -> None:
    fill(folder)
    script = f"""
import sys
from functions_framework import create_app
client = create_app({TARGET!r}, {str(SOURCE)!r}).test_client()
heavy = {{"evidently", "plotly", "sklearn", "torch", "google.cloud.pubsub_v1"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
assert client.get({JSON!r}).status_code == 200
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "ANIMALS_BUCKET": folder.url})


def test_the_framework_s_own_command_makes_a_report_from_google_s_storage(gcs_url: str, tmp_path: Path) -> None:
    storage = open_storage(gcs_url)
    fill(storage)
    port = free_port()
    with running(tmp_path, *FRAMEWORK, "--port", str(port), ANIMALS_BUCKET=gcs_url) as process:
        process.wait_until_ready(f"http://127.0.0.1:{port}/healthz")
        answer = httpx.get(f"http://127.0.0.1:{port}/{TARGET}", timeout=120)
        assert answer.status_code == 200, answer.text
        assert answer.headers["Content-Disposition"] == "attachment; filename=reports.zip"
        assert process.end() == 0
    with zipfile.ZipFile(BytesIO(answer.content)) as file:
        files = {name: file.read(name) for name in file.namelist()}
    assert list(files) == ["index.html", "performance.html", "drift.html", "summary.json"]
    assert json.loads(files["summary.json"])["feedback"]["right"] == 40
    assert min(len(files["performance.html"]), len(files["drift.html"])) > 3_000_000, "the plots are inside"
    prefix = next(name for name in storage.names("reports/") if name.endswith("/index.html")).removesuffix("index.html")
    assert {name: storage.read(f"{prefix}{name}").data for name in files} == files
    assert storage.read(LATEST).data == files["summary.json"]


def test_it_is_served_on_this_machine_and_ends_on_sigterm(folder: FolderStorage, tmp_path: Path) -> None:
    fill(folder)
    with running(tmp_path, sys.executable, "-m", "animals.monitoring", ANIMALS_BUCKET=folder.url) as process:
        assert httpx.get(f"{process.url}{JSON}", timeout=60).json()["feedback"]["records"] == 40
        assert httpx.get(f"{process.url}/x").status_code == 404
        assert process.end() == 0
        assert "Traceback" not in process.log


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "words"),
    [
        (["--help"], {}, 0, "ANIMALS_BUCKET"),
        ([], {"PORT": "http"}, 2, "The environment has impossible settings. PORT=http: "),
        ([], {"ANIMALS_HOST": "203.0.113.1"}, 1, "Cannot listen on 203.0.113.1:8082: "),
    ],
)
def test_a_mistake_is_reported_without_a_traceback(
    arguments: list[str], environment: dict[str, str], code: int, words: str
) -> None:
    command = [sys.executable, "-m", "animals.monitoring", *arguments]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == code
    assert words in (done.stderr or done.stdout)
    assert "Traceback" not in done.stderr
