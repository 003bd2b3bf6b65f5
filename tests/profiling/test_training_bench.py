"""The benchmark of training, run as a person runs it, on as little as it takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.pictures import write_label_folders

SCRIPT = Path(__file__).parents[2] / "profiling" / "training_bench.py"


def bench(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    write_label_folders(folder / "pictures", per_label=10)
    counts = ["--side=32", "--batch-size=8", "--steps=2", "--warmup=1", "--repeat=1"]
    done = bench(folder, "pictures", *counts, "--out", "results/bench.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (folder / "results" / "bench.md").read_text(encoding="utf-8")
    return folder / "results"


def test_all_variants_are_measured_and_compared(measured: Path) -> None:
    report: dict[str, Any] = json.loads((measured / "bench.json").read_text(encoding="utf-8"))
    (run,) = report["sides"]["32"]["runs"]
    assert list(run) == ["plain", "timm", "ours", "ceiling"]
    assert all(variant["pictures_per_second"] > 0 for variant in run.values())
    waiting = {name: variant["waiting"] for name, variant in run.items()}
    assert waiting.pop("ceiling") is None
    assert all(0 < share < 1 for share in waiting.values())
    for other, (ratio,) in report["sides"]["32"]["ratios"].items():
        assert ratio == pytest.approx(run["ours"]["pictures_per_second"] / run[other]["pictures_per_second"])


def test_the_table_says_what_was_run_on_what(measured: Path) -> None:
    table = (measured / "bench.md").read_text(encoding="utf-8")
    assert "python profiling/training_bench.py pictures --side=32" in table
    for told in ("CPUs (", "GPU: ", "torch 2", "## 32 pixels", "| ceiling | "):
        assert told in table


def test_a_folder_with_too_few_pictures_is_named(tmp_path: Path) -> None:
    write_label_folders(tmp_path / "few", per_label=2)
    done = bench(tmp_path, "few", "--batch-size=8")
    assert done.returncode == 2
    assert done.stderr == "error: few has 6 pictures, too few for batches of 8. Give a --batch-size.\n"
