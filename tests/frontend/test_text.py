from datetime import UTC, datetime

import pytest

from animals.api import Prediction
from animals.frontend.text import (
    capitalize,
    describe_prediction,
    escape_markdown,
    format_date,
    format_duration,
    format_percent,
    join_labels,
)
from tests.frontend.conftest import predicted


@pytest.mark.parametrize(
    ("confidence", "unknown_below", "kind", "title", "detail"),
    [
        (0.995, 0, "confident", "Cat", "Almost certain: over 99 %"),
        (0.9, 0, "confident", "Cat", "Very likely: 90 %"),
        (0.89, 0, "confident", "Cat", "Likely: 89 %"),
        (0.55, 0.55, "confident", "Cat", "Possible: 55 %"),
        (0.45, 0, "unsure", "Cat?", "Uncertain: 45 %. It may also be dog."),
        (0.54, 0.55, "rejected", "None of the 3 labels", "No label fits well. The closest is cat: 54 %"),
    ],
)
def test_the_text_of_a_prediction_fits_its_confidence(
    confidence: float, unknown_below: float, kind: str, title: str, detail: str
) -> None:
    rest = 1 - confidence
    response = predicted(cat=confidence, dog=rest * 0.75, cow=rest * 0.25)
    shown = describe_prediction(Prediction.model_validate(response), unknown_below)
    assert (shown.kind, shown.title, shown.detail) == (kind, title, detail)


def test_a_label_keeps_its_other_capitals() -> None:
    assert [capitalize(label) for label in ("cat", "äpfel grün", "Boeing 747", "USB-C")] == [
        *("Cat", "Äpfel grün", "Boeing 747", "USB-C")
    ]


@pytest.mark.parametrize(
    ("labels", "joined"), [(["ripe"], "ripe"), (["a", "b", "c"], "a, b, c"), (list("abcde"), "a, b, c, and 2 more")]
)
def test_of_many_labels_the_first_are_listed(labels: list[str], joined: str) -> None:
    assert join_labels(labels, limit=3) == joined


@pytest.mark.parametrize(
    ("share", "formatted"),
    [(0, "under 1 %"), (0.0099, "under 1 %"), (0.01, "1 %"), (0.126, "13 %"), (0.99, "99 %"), (0.991, "over 99 %")],
)
def test_a_share_is_never_0_or_100_percent(share: float, formatted: str) -> None:
    assert format_percent(share) == formatted


@pytest.mark.parametrize(
    ("duration", "formatted"), [(0.0124, "12 ms"), (0.9, "900 ms"), (2.345, "2.3 s"), (None, "n/a")]
)
def test_a_duration_has_a_fitting_unit(duration: float | None, formatted: str) -> None:
    assert format_duration(duration) == formatted


def test_a_date_has_the_name_of_the_month() -> None:
    assert format_date(datetime(2026, 11, 4, 23, tzinfo=UTC)) == "4 November 2026"


def test_text_from_elsewhere_is_no_markdown() -> None:
    assert escape_markdown("a [b](c) $d$ :red[e] <i>") == r"a \[b\]\(c\) \$d\$ \:red\[e\] \<i\>"
    assert escape_markdown("# one\n\n- two") == r"\# one \- two"
