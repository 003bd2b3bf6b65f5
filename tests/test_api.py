import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from animals.api import FeedbackRequest, Prediction

PREDICTION: dict[str, Any] = {
    "filename": "x",
    "prediction": "cat",
    "confidence": 1,
    "probabilities": {"cat": 1, "dog": 0},
    "model_version": "r1",
    "prediction_id": "id",
}


@pytest.mark.parametrize("changes", [{"confidence": 1.01}, {"probabilities": {"cat": -0.01}}, {"confidence": None}])
def test_a_confidence_is_a_probability(changes: dict[str, Any]) -> None:
    Prediction.model_validate(PREDICTION)
    with pytest.raises(ValidationError):
        Prediction.model_validate(PREDICTION | changes)


def test_a_client_ignores_fields_that_a_newer_backend_adds() -> None:
    assert Prediction.model_validate(PREDICTION | {"new": 1}) == Prediction.model_validate(PREDICTION)


def test_a_misspelt_field_of_a_request_is_refused() -> None:
    with pytest.raises(ValidationError, match="pictures"):
        FeedbackRequest.model_validate({"x": "cat", "prediction_id": "id", "pictures": ""})


def test_a_client_needs_none_of_the_backends_libraries() -> None:
    code = "import sys, animals.api; print({'fastapi', 'onnxruntime', 'starlette'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "set()"
