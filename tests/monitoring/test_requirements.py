"""The report function's own list of requirements is enough for it."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
import numpy as np
import pytest

from animals.storage import FolderStorage
from tests.support.environments import UV, make_environment
from tests.support.process import running
from tests.support.records import make_prediction, publish, put_predictions

REPORT = "/generate_performance_report"


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_the_report_function_runs_in_an_environment_made_from_its_requirements_alone(tmp_path: Path) -> None:
    python = make_environment(tmp_path, "requirements_report.txt")
    for library in ("torch", "fastapi", "onnxruntime", "streamlit"):
        found = subprocess.run([python, "-c", f"import {library}"], capture_output=True, encoding="utf-8", check=False)
        assert f"No module named '{library}'" in found.stderr

    storage = FolderStorage(tmp_path / "bucket")
    publish(storage)
    put_predictions(storage, [make_prediction("a", np.random.default_rng(0), time=datetime.now(UTC))])
    with running(tmp_path, str(python), "-m", "animals.monitoring", ANIMALS_BUCKET=storage.url) as process:
        summary = httpx.get(f"{process.url}{REPORT}?format=json", timeout=120)
        assert summary.json()["predictions"]["records"] == 1
        assert httpx.get(f"{process.url}{REPORT}", timeout=120).headers["Content-Type"] == "application/zip"
        assert "animals_report_created_timestamp_seconds" in httpx.get(f"{process.url}/metrics").text
        assert process.end() == 0
