from datetime import date
from typing import Any

from animals.frontend.charts import accuracy_by_day, answers_by_day, count_bars, probability_bars


def rows(chart: Any) -> list[dict[str, Any]]:
    """The data of a chart, as the browser gets it."""
    first, *_ = datasets(chart)
    return first


def datasets(chart: Any) -> list[list[dict[str, Any]]]:
    return list(chart.to_dict()["datasets"].values())


def test_the_likeliest_label_is_the_first_bar_and_stands_out() -> None:
    bars = rows(probability_bars({"cow": 0.003, "cat": 0.995, "dog": 0.002}))
    assert [(bar["label"], bar["text"], bar["first"]) for bar in bars] == [
        ("cat", "> 99 %", True),
        ("cow", "< 1 %", False),
        ("dog", "< 1 %", False),
    ]


def test_counts_are_sorted_too() -> None:
    bars = rows(count_bars({"cow": 1_500, "cat": 2_000, "ant": 1_500}))
    assert [(bar["label"], bar["text"]) for bar in bars] == [("cat", "2,000"), ("ant", "1,500"), ("cow", "1,500")]


def test_days_without_judgements_are_left_out_of_the_accuracy() -> None:
    days = [(date(2026, 11, 1), 10, 9), (date(2026, 11, 2), 0, 0), (date(2026, 11, 3), 4, 4)]
    assert [(point["day"], point["share"]) for point in rows(accuracy_by_day(days, None))] == [
        ("2026-11-01", 0.9),
        ("2026-11-03", 1.0),
    ]


def test_the_accuracy_on_the_test_pictures_is_a_line_of_its_own() -> None:
    chart = accuracy_by_day([(date(2026, 11, 1), 10, 9)], 0.87)
    assert [{"share": 0.87}] in datasets(chart)


def test_each_day_has_its_answers() -> None:
    assert rows(answers_by_day([(date(2026, 11, 1), 10)])) == [{"day": "2026-11-01", "answers": 10}]
