from datetime import date
from typing import Any

from animals.api import DayOfFeedback, DayOfPredictions
from animals.frontend.charts import accuracy_by_day, count_bars, predictions_by_day, probability_bars

FIRST, SECOND, THIRD = (date(2026, 11, day) for day in (1, 2, 3))


def datasets(chart: Any) -> list[list[dict[str, Any]]]:
    return list(chart.to_dict()["datasets"].values())


def test_the_most_probable_label_is_the_first_bar_and_has_its_own_colour() -> None:
    [bars] = datasets(probability_bars({"cow": 0.003, "cat": 0.995, "dog": 0.002}))
    assert [(bar["label"], bar["text"], bar["primary"]) for bar in bars] == [
        ("cat", "> 99 %", True),
        ("cow", "< 1 %", False),
        ("dog", "< 1 %", False),
    ]


def test_counts_are_sorted() -> None:
    [bars] = datasets(count_bars({"cow": 1_500, "cat": 2_000, "ant": 1_500}))
    assert [(bar["label"], bar["text"]) for bar in bars] == [("cat", "2,000"), ("ant", "1,500"), ("cow", "1,500")]


def test_accuracy_has_the_days_with_feedback_and_the_test_accuracy() -> None:
    days = [
        DayOfFeedback(date=day, records=n, right=right)
        for day, n, right in [(FIRST, 10, 9), (SECOND, 0, 0), (THIRD, 4, 4)]
    ]
    points, reference = datasets(accuracy_by_day(days, 0.87))
    assert [(point["day"], point["accuracy"]) for point in points] == [("2026-11-01", 0.9), ("2026-11-03", 1.0)]
    assert reference == [{"accuracy": 0.87}]


def test_each_day_has_its_predictions() -> None:
    days = [DayOfPredictions(date=FIRST, records=10, median_milliseconds=None)]
    assert datasets(predictions_by_day(days)) == [[{"day": "2026-11-01", "predictions": 10}]]
