"""The benchmark of what being seen costs runs, and prints its table."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "profiling" / "sight.py"


def test_the_cost_of_a_request_is_measured_with_and_without() -> None:
    ended = subprocess.run(
        [sys.executable, SCRIPT, "--requests", "5"], capture_output=True, encoding="utf-8", timeout=120, check=True
    )
    rows = [line.split(" | ") for line in ended.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| without", "| with", "| difference"]
    without, seen, difference = (float(row[2]) for row in rows)
    assert without > 0
    assert abs(seen - without - difference) < 0.002
