"""The benchmark of serving, the load test and the soak, run as a person runs them, on as little as it takes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def script(name: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(ROOT / "profiling" / name), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a model that is made once for all these tests."""
    return ["--model=test_resnet", "--side=32", f"--keep={tmp_path_factory.mktemp('kept') / 'model'}"]


@pytest.fixture(scope="module")
def measured(tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench")
    times = ["--clients=1", "--clients=4", "--seconds=1", "--warmup=0.2", "--repeat=1"]
    done = script("serving_bench.py", folder, *tiny, *times, "--out", "results/bench.json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (folder / "results" / "bench.md").read_text(encoding="utf-8")
    return folder / "results"


def test_both_servers_are_asked_and_no_answer_is_wrong(measured: Path) -> None:
    report: dict[str, Any] = json.loads((measured / "bench.json").read_text(encoding="utf-8"))
    (run,) = report["runs"]
    assert list(run) == ["ours", "plain"]
    for server in run.values():
        assert server["cold_start"] > 0
        assert server["memory"] > 20
        for found in (*server["clients"].values(), server["camera"]):
            assert found["right"] > 0
            assert (found["wrong"], found["failures"]) == (0, {})
            assert found["p50"] <= found["p95"] <= found["p99"]
    (ratio,) = report["ratios"]["plain"]["4"]
    rates = [run[name]["clients"]["4"]["pictures_per_second"] for name in ("ours", "plain")]
    assert ratio == pytest.approx(rates[0] / rates[1])


def test_what_each_environment_takes_is_known(measured: Path) -> None:
    installed = json.loads((measured / "bench.json").read_text(encoding="utf-8"))["installed"]
    assert 50 < installed["ours"]["megabytes"] < 300  # what one CPU on Cloud Run should have to load
    assert "torch" not in installed["ours"]["versions"]
    assert "torch" in installed["plain"]["versions"]


def test_the_table_says_what_was_run_on_what(measured: Path) -> None:
    table = (measured / "bench.md").read_text(encoding="utf-8")
    assert "python profiling/serving_bench.py --model=test_resnet" in table
    for told in ("test_resnet at 32 pixels", "torch 2", "| 4 at once |", "## Failures"):
        assert told in table


def test_a_folder_without_photographs_is_named(tmp_path: Path) -> None:
    done = script("serving_bench.py", tmp_path, "--pictures", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path} has no JPEG files. Name a folder of photographs.\n"


def test_users_come_to_a_backend_and_all_their_answers_are_right(tiny: list[str], tmp_path: Path) -> None:
    done = script("load_test.py", tmp_path, *tiny, "--users=4", "--seconds=4", "--out=out")
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "out" / "users_4.md").read_text(encoding="utf-8")
    assert done.stdout == report
    assert "invoke load-test --users 4 --seconds 4" in report
    for told in ("\n| classify | ", "\n| feedback | ", "\n0 failures and wrong answers.\n"):
        assert told in report


def test_a_backend_that_is_slower_than_allowed_fails_the_load_test(tiny: list[str], tmp_path: Path) -> None:
    done = script("load_test.py", tmp_path, *tiny, "--users=2", "--seconds=3", "--p95=0.01", "--out=out")
    assert done.returncode == 1
    assert "error: one answer in 20 to classify takes over " in done.stderr
    assert (tmp_path / "out" / "users_2.md").is_file()


def test_a_host_that_does_not_answer_is_named(tiny: list[str], tmp_path: Path) -> None:
    done = script("load_test.py", tmp_path, *tiny, "--host=http://127.0.0.1:1")
    assert done.returncode == 2
    assert "http://127.0.0.1:1 does not answer a picture" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_soak_shows_the_memory_as_time_goes_by(tiny: list[str], tmp_path: Path) -> None:
    done = script("serving_soak.py", tmp_path, *tiny, "--seconds=3", "--every=0.5", "--out=soak.json")
    report = json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))
    assert len(report["memory"]) >= 6
    assert (report["wrong"], report["failures"]) == (0, {})
    assert done.returncode == (0 if report["flat"] else 1), done.stderr
    assert ("Memory is flat" in done.stdout) == report["flat"]
