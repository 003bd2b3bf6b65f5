"""What `invoke cost` says follows from the prices, the measurements and the assumptions, and from nothing else."""

import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from costs.page import Case

ROOT = Path(__file__).parents[2]
PROFILING = ROOT / "profiling"
MONTH = 30 * 86_400

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True, scope="module")
def scripts() -> Iterator[None]:
    sys.path.insert(0, str(PROFILING))
    yield
    sys.path.remove(str(PROFILING))


@pytest.fixture
def case() -> "Case":
    from costs.measured import read_measured
    from costs.page import Case
    from costs.tables import read_assumptions, read_prices

    return Case(assumptions=read_assumptions(), measured=read_measured(ROOT / "reports"), prices=read_prices())


def used(case: "Case", pictures: float, **other: float) -> dict[tuple[str, str], float]:
    return {(line.part, line.what): line.amount for line in case.cost(pictures, other=other).lines}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process: its exit code and what it wrote."""

    def start(*words: str) -> tuple[int, str, str]:
        from cost import main

        code = 0
        try:
            main(words)
        except SystemExit as end:
            code = int(end.code or 0)
        return code, *capsys.readouterr()

    return start


def test_what_is_free_is_not_paid_and_the_rest_is() -> None:
    from costs.billing import bill
    from costs.model import Line
    from costs.tables import Price

    price = Price(name="", unit="", per=2.0, free=10, page="", checked="no")
    lines = [Line(part="", what="", price="a", amount=amount) for amount in (4.0, 16.0)]
    assert bill(lines[:1], {"a": price}) == [0.0]
    # ten of twenty are free, and both lines have half of what is paid for
    assert bill(lines, {"a": price}) == pytest.approx([4.0, 16.0])


def test_visitors_who_overlap_share_an_instance() -> None:
    from costs.busy import instance_seconds, mean_instances

    # nobody overlaps: each second of a visit is a second of an instance
    assert instance_seconds(10, 1, at_once=40, hours=24) == pytest.approx(10, rel=1e-4)
    # one there in the mean: an instance is busy unless nobody is there
    assert mean_instances(1, 40) == pytest.approx(1 - math.exp(-1))
    # one visit an instance: as many instances as visits
    assert mean_instances(3, 1) == pytest.approx(3)
    # many: as many instances as it takes, the last one half full
    for mean in (699.0, 701.0, 9_999.0, 10_001.0):
        assert mean_instances(mean, 10) == pytest.approx(mean / 10 + 0.45, abs=0.06)


def test_requests_count_in_tenths_of_a_second() -> None:
    from costs.busy import rounded

    assert [rounded(it) for it in (0, 0.016, 0.1, 0.816)] == pytest.approx([0, 0.1, 0.1, 0.9])


def test_a_backend_is_worked_out_by_hand(case: "Case") -> None:
    # by the page only, so that nobody uploads slowly; nobody judges; instances never end: 1,000 times 0.1 s
    found = used(case, 1_000, page=1, feedback=0, kept_seconds=1e9)
    assert found["backend", "CPU"] == pytest.approx(100, rel=0.01)
    assert found["backend", "requests"] == 1_000 + 250
    # at 8 Mbit/s a million bytes take a second, and with the answer 1.1 s as Cloud Run counts
    found = used(case, 1_000, page=0, feedback=0, uplink=8, kept_seconds=1e9)
    assert found["backend", "CPU"] == pytest.approx(1_100, rel=0.01)


def test_a_backend_that_sleeps_pays_each_start(case: "Case") -> None:
    asleep = used(case, 100, page=1, feedback=0, kept_seconds=1e-3)["backend", "CPU"]
    assert asleep == pytest.approx(100 * (0.1 + case.measured.start), rel=0.01)


def test_the_bucket_is_worked_out_by_hand(case: "Case") -> None:
    sizes = case.measured.sizes
    nothing: Mapping[str, float] = {"trainings": 0, "reports": 0, "data_bytes": 0, "months": 12, "answer_months": 6}
    kept = used(case, 1_000_000, feedback=0.1, consent=0.5, **nothing)["bucket", "kept"]
    by_hand = (6e6 * sizes.logged + 12 * (1e5 * sizes.judgement + 5e4 * sizes.kept_picture)) / 1e9
    assert kept == pytest.approx(by_hand)


def test_a_training_takes_its_pictures_at_the_measured_rate(case: "Case") -> None:
    measured = replace(case.measured, train_rate=10.0)
    hours = used(replace(case, measured=measured), 1, trainings=3, train_pictures=36_000, epochs=2)
    assert hours["training", "on a CPU"] == pytest.approx(6)


def test_an_instance_that_is_always_there_costs_its_idle_month(case: "Case") -> None:
    more = case.cost(1, always=1).total - case.cost(1).total
    idle = MONTH * (case.prices.of["run_idle_cpu"].per + case.prices.of["run_idle_memory"].per)
    looks = MONTH / 5 * case.prices.of["class_b"].per
    assert more == pytest.approx(idle + looks, rel=0.01)


@pytest.mark.parametrize("other", [{}, {"page": 1.0}, {"page": 0.0, "feedback": 1.0}])
def test_more_pictures_never_cost_less(case: "Case", other: dict[str, float]) -> None:
    totals = [case.cost(10**exponent, other=other).total for exponent in range(3, 10)]
    assert totals == sorted(totals)
    assert totals[-1] > 10 * totals[0]


def test_free_amounts_end_where_the_lines_reach_them() -> None:
    from costs.billing import free_until
    from costs.model import Line

    def used_up(pictures: float) -> list[Line]:
        return [Line(part="", what="", price="a", amount=2 * pictures)]

    assert free_until("a", used=used_up, free=1_000) == pytest.approx(500, rel=0.01)
    assert free_until("a", used=used_up, free=1) == 0
    assert free_until("a", used=used_up, free=1e12) == math.inf


def test_every_price_has_a_page_and_says_whether_it_was_seen(case: "Case") -> None:
    named = {line.price for line in case.cost(1_000, always=1).lines}
    assert named <= set(case.prices.of)
    for price in case.prices.of.values():
        assert price.page.startswith("cloud.google.com/")
        assert price.checked in ("page", "elsewhere", "no")
        assert price.note or price.checked != "elsewhere"


def test_the_page_is_what_the_files_say(tmp_path: Path, run: Run) -> None:
    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.png", "*.zip"))
    code, out, error = run("--root", str(tmp_path))
    assert code == 0, error
    assert "A month costs " in out
    for name in ("docs/cost.md", "reports/cost.json"):
        stale = f"{name} is not what its sources say any more: invoke cost"
        assert (tmp_path / name).read_text(encoding="utf-8") == (ROOT / name).read_text(encoding="utf-8"), stale
    assert (tmp_path / "reports" / "figures" / "cost.png").stat().st_size < 150_000


def test_another_assumption_is_shown_and_not_written(tmp_path: Path, run: Run) -> None:
    mine = '[page]\nvalue = 0\nunit = "share"\nreason = "only programs ask"\n'
    (tmp_path / "mine.toml").write_text(mine, encoding="utf-8")
    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.png", "*.zip"))
    code, out, error = run("--root", str(tmp_path), "--assume", str(tmp_path / "mine.toml"), "--visit-pictures", "2")
    assert code == 0, error
    assert "| page | - | - | - |" in out
    assert "| `visit_pictures` | 2 |" in out
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--feedback", "1.5"), "feedback is 1.5; it must be 0 or more and at most 1."),
        (("--hours", "25"), "hours is 25; it must be more than 0 and at most 24."),
        (("--sessions", "0"), "sessions is 0; it must be more than 0."),
        (("--months", "nan"), "months is nan; it must be more than 0."),
    ],
)
def test_an_impossible_assumption_is_named(words: tuple[str, str], told: str, run: Run) -> None:
    assert run(*words) == (2, "", f"error: {told}\n")


@pytest.mark.parametrize("name", ["serving_speed.json", "report_speed.json", "training_speed_224.json", "sizes.json"])
def test_a_missing_measurement_is_named_with_the_command_that_makes_it(name: str, tmp_path: Path, run: Run) -> None:
    from costs.measured import COMMANDS

    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.png", "*.zip", name))
    code, _, error = run("--root", str(tmp_path))
    assert code == 2
    assert error.endswith(f"Make it: {COMMANDS[name]}\n")


def test_what_the_files_of_the_cloud_say_is_what_is_assumed(case: "Case") -> None:
    files = ROOT / "cloudbuild_files"
    backend, page = ((files / "run" / f"{name}.yaml").read_text(encoding="utf-8") for name in ("backend", "frontend"))
    assert f"containerConcurrency: {case.assumptions['concurrency'].value}\n" in backend
    assert f"containerConcurrency: {case.assumptions['sessions'].value}\n" in page
    rules = json.loads((files / "lifecycle" / "animals.json").read_text(encoding="utf-8"))["rule"]
    days = [rule["condition"]["age"] for rule in rules if "predictions/" in rule["condition"].get("matchesPrefix", ())]
    assert days == [30 * case.assumptions["answer_months"].value]
    cleaning = json.loads((files / "cleanup.json").read_text(encoding="utf-8"))
    (kept,) = (rule["mostRecentVersions"]["keepCount"] for rule in cleaning if rule["action"]["type"] == "Keep")
    assert kept == case.assumptions["images_kept"].value
    build = (files / "build.yaml").read_text(encoding="utf-8")
    assert "machineType: E2_HIGHCPU_8" in build
    assert "machineType: E2_MEDIUM" in (files / "deploy.yaml").read_text(encoding="utf-8")


def test_files_that_are_no_tables_are_named(tmp_path: Path) -> None:
    from costs.tables import read_assumptions, read_prices

    from animals.errors import ConfigError

    broken, short = tmp_path / "broken.toml", tmp_path / "short.toml"
    broken.write_text("[", encoding="utf-8")
    short.write_text("[page]\nvalue = 1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"broken\.toml cannot be read"):
        read_prices(broken)
    with pytest.raises(ConfigError, match=r"short\.toml, \[page\] is not a whole entry"):
        read_assumptions(short)


def test_sizes_of_another_version_are_named(tmp_path: Path) -> None:
    from costs.measured import read_measured

    from animals.errors import DataError

    shutil.copytree(ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.png", "*.zip"))
    path = tmp_path / "reports" / "sizes.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    del found["bytes"]["answer"]
    path.write_text(json.dumps(found), encoding="utf-8")
    with pytest.raises(DataError, match=r"Make it anew: python profiling/sizes\.py"):
        read_measured(tmp_path / "reports")
