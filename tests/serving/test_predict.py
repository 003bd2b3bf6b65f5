import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from animals.prediction_records import LoggedPrediction
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.cards import SIDE
from tests.support.published import KEY, Started, colour_model, plain, publish, until


def with_projection(model: bytes) -> bytes:
    """Add a second output: the mean of all pixels, and twice that."""
    made = onnx.load_from_string(model)
    weights = np.full((3 * SIDE * SIDE, 2), 1 / (3 * SIDE * SIDE), np.float32) * np.array([1, 2], np.float32)
    made.graph.initializer.append(helper.make_tensor("matrix", TensorProto.FLOAT, weights.shape, weights.ravel()))
    made.graph.node.append(helper.make_node("MatMul", ["flat", "matrix"], ["projection"]))
    made.graph.output.append(helper.make_tensor_value_info("projection", TensorProto.FLOAT, ["batch", 2]))
    return bytes(made.SerializeToString())


@pytest.mark.parametrize(("model", "expected"), [(colour_model(), ()), (with_projection(colour_model()), (2.0, 4.0))])
def test_each_prediction_is_logged_with_its_projection_if_the_model_has_one(
    started: Started, settings: BackendSettings, folder: FolderStorage, model: bytes, expected: tuple[float, ...]
) -> None:
    publish(folder, model=model)
    with started(settings) as client:
        until(lambda: client.get("/readyz").status_code == 200)
        response = client.post("/classify/", files={"file": ("secret name.png", plain("white"))}).json()
        client.post("/classify/", files={"file": b"no picture"})
    [name] = folder.names("predictions/")
    text = folder.read(name).data.decode()
    entry = LoggedPrediction.model_validate_json(text)
    assert entry.id == Tokens(KEY).read(response["prediction_id"]).id
    assert (entry.version, entry.prediction) == (response["model_version"], response["prediction"])
    assert entry.probabilities == pytest.approx(response["probabilities"], abs=1e-6)
    assert (entry.width, entry.height) == (40, 30)
    assert entry.brightness == pytest.approx(1, abs=1e-5)
    assert entry.projection == pytest.approx(expected, abs=1e-4)
    assert "secret" not in text
    assert response["prediction_id"] not in text
    assert set(json.loads(text)) == set(LoggedPrediction.model_fields)
