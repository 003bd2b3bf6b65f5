"""The sizes that the costs follow from are weighed at real services, here on a tiny network."""

import json
import subprocess
import sys
from pathlib import Path

from tests.support.browser import chromium_or_skip

ROOT = Path(__file__).parents[2]


def test_everything_that_costs_is_weighed(tmp_path: Path) -> None:
    chromium_or_skip()
    command = [sys.executable, str(ROOT / "profiling" / "sizes.py"), "--model=test_resnet", "--side=32"]
    done = subprocess.run(
        [*command, "--out=sizes.json"], cwd=tmp_path, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "sizes.json").read_text(encoding="utf-8"))["bytes"]
    assert 500 < found["answer"] < 2_000
    assert 300 < found["logged"] < 1_000
    assert 300 < found["judgement"] < 1_000
    assert 200 < found["log_line"] < 1_000
    assert 10_000 < found["kept_picture"] < 1_000_000
    assert found["version"] > 1_000_000
    assert found["visit"] > 10 * found["again"] > 0, "a browser keeps the page's scripts"
    assert found["visit_requests"] > found["again_requests"] > 0
