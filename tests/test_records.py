import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from animals.preprocess import InputSpec
from animals.records import Card, Current, FileInfo, Metrics, explain, now

CARD: dict[str, Any] = {
    "version": "r1",
    "created": "2026-11-24T05:00:00Z",
    "run": "r1",
    "architecture": "resnet18",
    "labels": ["cat", "dog"],
    "input": {"side": 8, "mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2], "resize": "squash"},
    "metrics": {
        "accuracy": 0.5,
        "f1_macro": 0.5,
        "f1_weighted": 0.5,
        "loss": 1.5,
        "pictures": 2,
        "per_label": {"cat": {"precision": 1, "recall": 0.5, "f1": 0.66, "pictures": 1}},
    },
    "split": {"manifest_sha256": "0", "seed": 1, "counts": {"test": 2}},
    "export": {"pictures": 2, "same_label": 2, "max_probability_difference": 0.0},
    "config": {"model": {"name": "resnet18"}},
    "git_commit": None,
    "packages": {},
    "files": {"model.onnx": {"sha256": "0", "size": 1}},
}


def test_a_card_survives_json_unchanged() -> None:
    card = Card.model_validate_json(json.dumps(CARD))

    assert card.labels == ("cat", "dog")
    assert card.input == InputSpec(side=8, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2), resize="squash")
    assert Card.model_validate_json(card.model_dump_json()) == card


def test_a_card_of_before_calibration_has_a_temperature_of_1() -> None:
    card = Card.model_validate_json(json.dumps(CARD))
    assert (card.temperature, card.calibration) == (1.0, None)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (["unknown"], 1),
        (["created"], "2026-11-24T05:00:00"),
        (["input", "side"], 0),
        (["input", "resize"], "stretch"),
        (["input", "interpolation"], "lanczos"),
        (["metrics", "accuracy"], 1.1),
        (["temperature"], 0),
        (["metrics", "per_label", "cat", "recall"], -0.1),
    ],
)
def test_a_card_with_an_impossible_value_is_refused(place: list[str], value: object) -> None:
    card = json.loads(json.dumps(CARD))
    inner = card
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value

    with pytest.raises(ValidationError, match=place[-1] if place[-1] != "side" else "side >= 1"):
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


@pytest.mark.parametrize(("passed", "file"), [(None, "model.onnx"), (False, "model.onnx"), (True, "model.int8.onnx")])
def test_the_model_in_8_bits_serves_only_where_it_passed(passed: bool | None, file: str) -> None:
    figures = {"accuracy": 0.9, "accuracy_fp32": 0.9, "same_label": 1.0, "pictures": 10, "reason": "Why"}
    quantized = {} if passed is None else {"quantized": {**figures, "passed": passed}}
    assert Card.model_validate({**CARD, **quantized}).serving_file == file
