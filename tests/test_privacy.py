"""No library sends telemetry."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.published import colour_model

USE = "import sys, animals, onnxruntime; onnxruntime.InferenceSession(sys.stdin.buffer.read())"


@pytest.mark.parametrize(
    "forbidden",
    [True, pytest.param(False, marks=pytest.mark.skipif(sys.platform != "linux", reason="kept elsewhere there"))],
)
def test_onnx_runtime_keeps_no_number_of_this_machine_to_send_along(tmp_path: Path, forbidden: bool) -> None:
    # nothing of CI's own environment, in which ONNX Runtime never tells; HOME is where it keeps what it will send
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    environment |= {} if forbidden else {"ORT_DISABLE_TELEMETRY": "0"}
    subprocess.run([sys.executable, "-c", USE], input=colour_model(), env=environment, check=True, cwd=tmp_path)
    assert bool([path for path in tmp_path.rglob("*") if path.is_file()]) is not forbidden
