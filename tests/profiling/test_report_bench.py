"""The benchmark of reports, run as a person runs it, on as little as it takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "profiling" / "report_bench.py"


@pytest.mark.skipif(sys.platform == "win32", reason="it measures what a container of Linux takes")
def test_each_part_of_a_report_is_measured_and_told(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--records", "700", "--new", "20", "--loose", "30", "--out", "bench.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "bench.md").read_text(encoding="utf-8")
    report = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    (grown,) = report["grown"]
    assert (grown["whole"]["feedback"], grown["summary"]["feedback"]) == (720, 720)
    assert report["first"]["feedback"] == 30
    peaks = [grown["whole"][part]["peak"] for part in ("import", "find", "render", "store")]
    assert peaks == sorted(peaks)
    assert grown["summary"]["find"]["peak"] < peaks[0], "Evidently is not imported for the summary alone"
    assert "| 700 | " in done.stdout
    assert "The first reading of 30 loose judgements" in done.stdout
