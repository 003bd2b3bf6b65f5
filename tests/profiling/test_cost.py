"""The cost estimate follows from prices, measurements and assumptions."""

import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest

from profiling import cost

ROOT = Path(__file__).parents[2]
COSTS = tomllib.loads((ROOT / "profiling/cost.toml").read_text("utf-8"))
PRICES = tomllib.loads((ROOT / "profiling/prices.toml").read_text("utf-8"))
MEASURED = COSTS.pop("measured")


def values(**changed: float) -> dict[str, float]:
    return {**MEASURED, **{name: it["value"] for name, it in COSTS.items()}, **changed}


def used(pictures: float, **changed: float) -> dict[tuple[str, str], float]:
    return {(line.part, line.what): line.amount for line in cost.usage(values(**changed), pictures)}


def total(values: dict[str, float], pictures: float, always_on: int = 0) -> float:
    prices = {name: it for name, it in PRICES.items() if isinstance(it, dict)}
    return sum(cost.bill(cost.usage(values, pictures, always_on), prices))


def test_the_free_tier_is_not_paid_and_is_shared_by_the_lines_with_its_price() -> None:
    price: dict[str, Any] = {"a": {"per": 2.0, "free": 10}}
    lines = [cost.Usage("", "", "a", amount) for amount in (4.0, 16.0)]
    assert cost.bill(lines[:1], price) == [0.0]
    assert cost.bill(lines, price) == pytest.approx([4.0, 16.0])


@pytest.mark.parametrize(
    ("request_seconds", "at_once", "expected"),
    [
        (1e-3, 40, 1e-3),  # nothing overlaps
        (1.0, 40, 1 - math.exp(-1)),  # busy unless no request is there
        (3.0, 1, 3.0),  # an instance for each request
        (9_999.0, 10, 1_000.35),  # the last instance is half full
    ],
)
def test_requests_that_overlap_share_an_instance(request_seconds: float, at_once: int, expected: float) -> None:
    assert cost.instance_seconds(request_seconds, at_once, open_seconds=1) == pytest.approx(expected, rel=1e-3)


def test_requests_are_billed_in_tenths_of_a_second() -> None:
    assert [cost.billed(it) for it in (0, 0.016, 0.1, 0.816)] == pytest.approx([0, 0.1, 0.1, 0.9])


def test_backend_bucket_and_training_match_a_calculation_by_hand() -> None:
    by_page = used(1_000, page=1, feedback=0)
    assert by_page["backend", "CPU"] == pytest.approx(100, rel=0.01)
    assert by_page["backend", "requests"] == 1_000 + 250
    # at 8 Mbit/s the upload of a million bytes takes a second
    assert used(1_000, page=0, feedback=0, uplink=8)["backend", "CPU"] == pytest.approx(1_100, rel=0.01)
    stored = used(1_000_000, feedback=0.1, consent=0.5, trainings=0, reports=0, data_bytes=0)["bucket", "stored"]
    feedback = 1e5 * MEASURED["feedback_bytes"] + 5e4 * MEASURED["picture_bytes"]
    assert stored == pytest.approx((6e6 * MEASURED["prediction_bytes"] + 12 * feedback) / 1e9)
    training = used(1, trainings=3, train_pictures=36_000, epochs=2, train_pictures_per_second=10)
    assert training["training", "on a CPU"] == pytest.approx(6)


def test_an_instance_that_is_always_on_costs_its_idle_month() -> None:
    idle = cost.MONTH * PRICES["run_idle"]["per"] + cost.MONTH / 5 * PRICES["class_b"]["per"]
    assert total(values(), 1, always_on=1) - total(values(), 1) == pytest.approx(idle, rel=0.01)


@pytest.mark.parametrize("changed", [{}, {"page": 1.0}, {"page": 0.0, "feedback": 1.0}])
def test_more_pictures_never_cost_less(changed: dict[str, float]) -> None:
    totals = [total(values(**changed), 10**exponent) for exponent in range(3, 10)]
    assert totals == sorted(totals)
    assert totals[-1] > 10 * totals[0]


def test_the_page_in_the_repository_is_current() -> None:
    page, _ = cost.estimate(values(), PRICES)
    assert page == (ROOT / "docs/cost.md").read_text("utf-8"), "docs/cost.md is not current: invoke cost"


def test_other_assumptions_are_printed_and_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (ROOT / "docs/cost.md").stat().st_mtime_ns
    (tmp_path / "mine.toml").write_text("[page]\nvalue = 0\n", encoding="utf-8")
    cost.main(["--assume", str(tmp_path / "mine.toml"), "--visit-pictures", "2"])
    assert "| page | 0.00 | 0.00 | 0.00 |" in capsys.readouterr().out
    assert (ROOT / "docs/cost.md").stat().st_mtime_ns == before


@pytest.mark.parametrize("words", [("--feedback", "1.5"), ("--hours", "25"), ("--sessions", "0"), ("--months", "nan")])
def test_an_impossible_assumption_is_named(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cost.main(words)
    assert capsys.readouterr().err.startswith(
        f"error: {words[0].removeprefix('--')}: expected an assumption and a value"
    )


def test_the_assumptions_are_those_of_the_files_for_the_cloud() -> None:
    files = ROOT / "cloudbuild_files"
    backend, page = ((files / "run" / f"{name}.yaml").read_text(encoding="utf-8") for name in ("backend", "frontend"))
    assert f"containerConcurrency: {COSTS['concurrency']['value']}\n" in backend
    assert f"containerConcurrency: {COSTS['sessions']['value']}\n" in page
    rules = json.loads((files / "lifecycle" / "animals.json").read_text(encoding="utf-8"))["rule"]
    days = [rule["condition"]["age"] for rule in rules if "predictions/" in rule["condition"].get("matchesPrefix", ())]
    assert days == [30 * COSTS["answer_months"]["value"]]
    cleaning = json.loads((files / "cleanup.json").read_text(encoding="utf-8"))
    (kept,) = (rule["mostRecentVersions"]["keepCount"] for rule in cleaning if rule["action"]["type"] == "Keep")
    assert kept == COSTS["images_kept"]["value"]
    assert len(list((files / "alerts").glob("*.yaml"))) == MEASURED["alerts"]
