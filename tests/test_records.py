import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from animals.records import Card, Current, FileInfo, Metrics, explain, now
from tests.support.cards import make_card

CARD: dict[str, Any] = make_card().model_dump(mode="json")


def test_a_card_survives_json_unchanged() -> None:
    card = make_card()
    assert Card.model_validate_json(card.model_dump_json()) == card


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["unknown"], 1),
        (["created"], "2026-11-24T05:00:00"),
        (["input", "side"], 0),
        (["input", "resize"], "stretch"),
        (["input", "interpolation"], "lanczos"),
        (["metrics", "accuracy"], 1.1),
        (["temperature"], 0),
        (["calibration", "ece_after"], -0.1),
    ],
)
def test_a_card_with_an_impossible_value_is_refused(path: list[str], value: object) -> None:
    card = json.loads(json.dumps(CARD))
    inner = card
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value

    with pytest.raises(ValidationError, match=path[-1] if path[-1] != "side" else "side >= 1"):
        Card.model_validate_json(json.dumps(card))


@pytest.mark.parametrize("missing", CARD)
def test_a_card_without_one_of_its_fields_is_refused(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Card.model_validate({name: value for name, value in CARD.items() if name != missing})


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_number_that_json_cannot_hold_is_refused(loss: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Metrics(accuracy=0, f1_macro=0, f1_weighted=0, loss=loss, pictures=0, per_label={})


def test_what_is_wrong_is_explained_in_one_line() -> None:
    with pytest.raises(ValidationError) as caught:
        Card.model_validate(CARD | {"labels": 3, "files": {"model.onnx": {"sha256": "0"}}})
    explanation = "labels: Input should be a valid tuple; files.model.onnx.size: Field required"
    assert explain(caught.value) == explanation

    with pytest.raises(ValidationError) as caught:
        Card.model_validate_json("{")
    assert explain(caught.value).startswith("Invalid JSON: ")


def test_a_record_does_not_change() -> None:
    info = FileInfo(sha256="0", size=1)
    with pytest.raises(ValidationError, match="frozen"):
        info.size = 2  # type: ignore[misc]


def test_a_pointer_says_when_it_was_made() -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)

    current = Current(version="r1", reason="test")

    assert before <= current.promoted <= datetime.now(UTC)
    assert current.previous is None


def test_the_present_is_in_utc_and_whole_seconds() -> None:
    assert now().tzinfo is UTC
    assert now().microsecond == 0


@pytest.mark.parametrize(("passed", "file"), [(False, "model.onnx"), (True, "model.int8.onnx")])
def test_the_quantized_model_serves_only_if_it_passed(passed: bool, file: str) -> None:
    assert make_card(quantized=make_card().quantized.model_copy(update={"passed": passed})).serving_file == file
