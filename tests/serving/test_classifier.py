from typing import Any

import numpy as np
import pytest
from PIL import Image

from animals.errors import BrokenModel
from animals.preprocess import InputSpec
from animals.serving.classifier import Classifier
from tests.support.cards import INPUT
from tests.support.published import certainty, colour_model, encode, make_card, plain


def made(**changes: Any) -> Classifier:
    model = colour_model()
    return Classifier(make_card(model, **changes), model, max_pixels=10_000)


def test_the_answer_is_the_softmax_of_the_logits_in_the_order_of_the_card() -> None:
    answer = made().classify(plain("lime"))
    assert list(answer) == ["red", "green", "blue"]
    assert list(answer.values()) == pytest.approx(certainty(0, 1, 0), abs=1e-6)
    assert made(labels=("x", "y", "z")).classify(plain("lime"))["y"] == answer["green"]


def test_probabilities_of_a_batch_are_those_of_its_pictures() -> None:
    classifier = made()
    pictures = [classifier.decode(plain(colour)).pixels for colour in ("red", "blue")]
    batch = classifier.infer(np.stack(pictures)).probabilities
    assert batch[0] == pytest.approx(certainty(1, 0, 0), abs=1e-6)
    assert batch[1] == pytest.approx(certainty(0, 0, 1), abs=1e-6)


def test_the_preprocessing_is_that_of_the_card() -> None:
    half = Image.new("RGB", (90, 30), "blue")
    half.paste("red", (30, 0, 60, 30))
    squash = InputSpec(side=8, mean=INPUT.mean, std=INPUT.std, resize="squash", interpolation="bilinear")
    assert made().classify(encode(half))["red"] > 0.9
    assert made(input=squash).classify(encode(half))["blue"] > 0.6


def test_the_temperature_is_that_of_the_card() -> None:
    answer = made(temperature=2.0).classify(plain("lime"))
    powers = np.sqrt(certainty(0, 1, 0))  # half the logits
    assert list(answer.values()) == pytest.approx(list(powers / powers.sum()), abs=1e-6)


@pytest.mark.parametrize(
    ("model", "labels", "message"),
    [
        (b"rubbish", ("a", "b", "c"), "cannot be loaded"),
        (b"", ("a", "b", "c"), "cannot be loaded"),
        (colour_model(4), ("a", "b", "c"), r"shape \(1, 4\).*3 labels"),
        (colour_model(2), ("a", "b", "c"), r"shape \(1, 2\).*3 labels"),
        (colour_model(), ("a", "b", "a"), "twice"),
        (colour_model(scale=float("nan")), ("a", "b", "c"), "not finite"),
        (colour_model().replace(b"input", b"image"), ("a", "b", "c"), "does not run"),
        (colour_model().replace(b"logits", b"scores"), ("a", "b", "c"), "does not run"),
    ],
)
def test_a_model_that_does_not_fit_its_card_is_refused(model: bytes, labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(BrokenModel, match=message) as refusal:
        Classifier(make_card(model, labels=labels), model)
    assert "r1" in str(refusal.value)
    assert "promote another" in str(refusal.value)


def test_a_model_for_pictures_of_another_size_is_refused() -> None:
    larger = InputSpec(side=16, mean=INPUT.mean, std=INPUT.std)
    with pytest.raises(BrokenModel, match="does not run"):
        made(input=larger)
