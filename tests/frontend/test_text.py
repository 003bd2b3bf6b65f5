from datetime import UTC, datetime

import pytest

from animals.frontend.backend_client import Answer
from animals.frontend.text import Kind, begin, day, listed, percent, plain, seconds, short_percent, verdict


def answer(confidence: float, label: str = "cat") -> Answer:
    rest = 1 - confidence
    probabilities = {label: confidence, "dog": rest * 0.75, "cow": rest * 0.25}
    return Answer(
        prediction=label,
        confidence=confidence,
        probabilities=probabilities,
        model_version="r1",
        prediction_id="signed",
    )


@pytest.mark.parametrize(
    ("confidence", "unknown_below", "kind", "title", "words"),
    [
        (1.0, None, "sure", "Cat", "almost certainly: over 99 %"),
        (0.99, None, "sure", "Cat", "almost certainly: 99 %"),
        (0.9, None, "sure", "Cat", "very probably: 90 %"),
        (0.89, None, "sure", "Cat", "probably: 89 %"),
        (0.7, 0.69, "sure", "Cat", "probably: 70 %"),
        (0.55, 0.55, "sure", "Cat", "perhaps: 55 %"),
        (0.45, None, "unsure", "Cat?", "hard to say: 45 %, or perhaps dog"),
        (0.54, 0.55, "none", "None of the 3?", "Nothing fits well. Cat comes nearest, with 54 %."),
        (0.4, 0.55, "none", "None of the 3?", "Nothing fits well. Cat comes nearest, with 40 %."),
    ],
)
def test_an_answer_is_put_in_words_that_fit_its_probability(
    confidence: float, unknown_below: float | None, kind: Kind, title: str, words: str
) -> None:
    said = verdict(answer(confidence), unknown_below)
    assert (said.kind, said.title, said.words) == (kind, title, words)


def test_of_two_labels_neither_may_fit() -> None:
    two = answer(0.6).model_copy(update={"probabilities": {"cat": 0.6, "dog": 0.4}})
    assert verdict(two, 0.9).title == "Neither of the two?"


def test_a_label_keeps_its_capitals_at_the_beginning_of_a_sentence() -> None:
    assert [begin(label) for label in ("cat", "äpfel grün", "Boeing 747", "USB-C")] == [
        *("Cat", "Äpfel grün", "Boeing 747", "USB-C")
    ]


def test_labels_are_listed_and_of_many_the_first() -> None:
    assert listed(["ripe", "rotten", "unripe"]) == "ripe, rotten and unripe"
    assert listed(["ripe"]) == "ripe"
    assert listed([f"{number}" for number in range(100)], most=4) == "0, 1, 2 and 97 others"
    assert listed(["a", "b", "c"], most=3) == "a, b and c"


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "under 1 %"), (0.0099, "under 1 %"), (0.01, "1 %"), (0.126, "13 %"), (0.99, "99 %"), (0.991, "over 99 %")],
)
def test_a_share_is_never_nothing_or_all(share: float, words: str) -> None:
    assert percent(share) == words


def test_beside_a_bar_the_same_is_shorter() -> None:
    assert [short_percent(share) for share in (0.001, 0.5, 0.999)] == ["< 1 %", "50 %", "> 99 %"]


@pytest.mark.parametrize(("duration", "words"), [(0.0124, "12 ms"), (0.9, "900 ms"), (2.345, "2.3 s")])
def test_a_duration_has_a_unit_that_fits_it(duration: float, words: str) -> None:
    assert seconds(duration) == words


def test_a_day_is_written_out() -> None:
    assert day(datetime(2026, 11, 4, 23, tzinfo=UTC)) == "4 November 2026"


def test_text_from_elsewhere_is_no_markdown() -> None:
    assert plain("a [b](c) $d$ :red[e] <i>") == r"a \[b\]\(c\) \$d\$ \:red\[e\] \<i\>"
    assert plain("# one\n\n- two") == r"\# one \- two"
