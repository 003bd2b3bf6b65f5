"""The serving benchmarks, run as a person runs them, on as little as it takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.profiling.commands import run_benchmark

pytestmark = pytest.mark.minutes


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options for a model that is made once for all these tests."""
    return ["--model=test_resnet", "--side=32", f"--keep={tmp_path_factory.mktemp('kept') / 'model'}"]


def test_no_server_gives_a_wrong_answer_and_the_page_shows_the_results(tiny: list[str], tmp_path: Path) -> None:
    times = ["--clients=1", "--clients=4", "--seconds=1", "--warmup=0.2", "--repeat=1"]
    done = run_benchmark("serving.bench", tmp_path, *tiny, *times, "--out=results/bench.json")
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads((tmp_path / "results/bench.json").read_text(encoding="utf-8"))
    (run,) = result["runs"]
    assert list(run) == ["ours", "plain"]
    for server in run.values():
        assert server["cold_start"] > 0
        assert server["memory"] > 20
        for counts in (*server["clients"].values(), server["camera"]):
            assert counts["right"] > 0
            assert (counts["wrong"], counts["failures"]) == (0, {})
    (ratio,) = result["ratios"]["plain"]["4"]
    rates = [run[name]["clients"]["4"]["pictures_per_second"] for name in ("ours", "plain")]
    assert ratio == pytest.approx(rates[0] / rates[1])
    installed = result["installed"]
    assert 50 < installed["ours"]["megabytes"] < 300  # what one CPU on Cloud Run should have to load
    assert "torch" not in installed["ours"]["versions"]
    assert done.stdout == (tmp_path / "results/bench.md").read_text(encoding="utf-8")
    assert "`python -m profiling.serving.bench --model=test_resnet" in done.stdout
    assert (tmp_path / "reports/figures/bench.png").stat().st_size < 150_000


def test_a_folder_without_photographs_is_named(tmp_path: Path) -> None:
    done = run_benchmark("serving.bench", tmp_path, "--pictures", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr == f"error: {tmp_path} has no JPEG files. Name a folder of photographs.\n"


def test_all_answers_under_load_are_right(tiny: list[str], tmp_path: Path) -> None:
    done = run_benchmark("serving.load_test", tmp_path, *tiny, "--users=4", "--seconds=4", "--out=out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "out/users_4.md").read_text(encoding="utf-8")
    for text in ("invoke load-test --users 4 --seconds 4", "\n| classify | ", "\n| feedback | ", "\n0 failures"):
        assert text in done.stdout


def test_a_backend_that_is_slower_than_allowed_fails_the_load_test(tiny: list[str], tmp_path: Path) -> None:
    done = run_benchmark("serving.load_test", tmp_path, *tiny, "--users=2", "--seconds=3", "--p95=0.01", "--out=out")
    assert done.returncode == 1
    assert "error: one answer in 20 to classify takes over " in done.stderr
    assert (tmp_path / "out/users_2.md").is_file()


def test_a_host_that_does_not_answer_is_named(tiny: list[str], tmp_path: Path) -> None:
    done = run_benchmark("serving.load_test", tmp_path, *tiny, "--host=http://127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: http://127.0.0.1:1 does not answer a picture")


def test_a_soak_shows_the_memory_over_time(tiny: list[str], tmp_path: Path) -> None:
    done = run_benchmark("serving.soak", tmp_path, *tiny, "--seconds=3", "--every=0.5", "--out=soak.json")
    result = json.loads((tmp_path / "soak.json").read_text(encoding="utf-8"))
    assert len(result["memory"]) >= 6
    assert (result["wrong"], result["failures"]) == (0, {})
    assert done.returncode == (0 if result["flat"] else 1), done.stderr
    assert ("Memory is flat" in done.stdout) == result["flat"]


def test_the_cost_of_observability_is_measured_with_and_without(tmp_path: Path) -> None:
    done = run_benchmark("serving.observability", tmp_path, "--requests=5")
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in done.stdout.splitlines()[2:]]
    assert [row[0] for row in rows] == ["| without", "| with", "| difference"]
    assert float(rows[0][2]) > 0
