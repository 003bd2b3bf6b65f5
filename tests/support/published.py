"""A tiny published model whose right answers are known, and pictures to show it."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from io import BytesIO
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from onnx import TensorProto, helper
from PIL import Image

from animals import registry
from animals.records import Card, now
from animals.serving.settings import BackendSettings
from animals.storage import Storage
from tests.support import cards

Started = Callable[[BackendSettings], AbstractContextManager[TestClient]]
"""Type of the fixture that starts the application, whether or not it has a model."""

Ready = Callable[..., AbstractContextManager[TestClient]]
"""Type of the fixture that starts the application with a published model and some other settings."""

KEY = "for tests"
"""Signs prediction ids in tests."""
LABELS = ("red", "green", "blue")
SIDE = cards.SIDE
INPUT = cards.INPUT


def until(reached: Callable[[], bool]) -> None:
    """Wait for what another thread brings about."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline, "It did not happen within half a minute."
        time.sleep(0.005)


def colour_model(outputs: int = 3, *, scale: float = 1.0) -> bytes:
    """An ONNX file whose logits are the mean red, green and blue of the upper half (so that it matters which is up)."""
    weights = np.zeros((3, SIDE, SIDE, outputs), np.float32)
    for colour in range(min(3, outputs)):
        weights[colour, : SIDE // 2, :, colour] = scale / (SIDE // 2 * SIDE)
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["input"], ["flat"]), helper.make_node("MatMul", ["flat", "weights"], ["logits"])],
        "colour",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", outputs])],
        [helper.make_tensor("weights", TensorProto.FLOAT, [3 * SIDE * SIDE, outputs], weights.ravel())],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def make_card(model: bytes, version: str = "r1", labels: tuple[str, ...] = LABELS, **changes: Any) -> Card:
    """Return the card of such a model."""
    fields: dict[str, Any] = {
        "created": now(),
        "architecture": "colour",
        "labels": labels,
        "config": {"secret_of_the_run": 1},
        "files": {registry.ONNX: registry.describe(model)},
    }
    return cards.make_card(version, **{**fields, **changes})


def publish(storage: Storage, version: str = "r1", model: bytes | None = None, **changes: Any) -> None:
    """Write a version of the model and let it serve."""
    model = colour_model() if model is None else model
    registry.write_version(storage, make_card(model, version, **changes), {registry.ONNX: model})
    registry.promote(storage, version, reason="test")


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as the content of a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def plain(colour: str, size: tuple[int, int] = (40, 30), kind: str = "PNG", **options: Any) -> bytes:
    """The file of a picture in one colour."""
    return encode(Image.new("RGB", size, colour), kind, **options)


def certainty(*colours: float) -> list[float]:
    """What the model answers to a picture whose upper half has these red, green and blue, each in [0, 1]."""
    powers = np.exp((np.asarray(colours) - 0.5) / 0.25)
    return [float(power) for power in powers / powers.sum()]
