"""The same model in BentoML: `BENCH_VERSION=FOLDER bentoml serve profiling.serving.bentoml_server:Animals`.

Each picture is classified alone: on one CPU a batch is not faster.
"""

import os
from pathlib import Path
from typing import Any

import bentoml

from profiling.serving.classifier import load_classifier


@bentoml.service(  # type: ignore[misc, untyped-decorator, unused-ignore]
    workers=1,
    traffic={"timeout": 60},
    runner_connection={"max_requests": 1_000_000_000},  # else calls in flight are dropped every 100 calls
    logging={"access": {"enabled": False}},
)
class Animals:
    """The service."""

    def __init__(self) -> None:
        self._classifier = load_classifier(Path(os.environ["BENCH_VERSION"]))

    @bentoml.api(route="/classify/")  # type: ignore[misc, untyped-decorator, unused-ignore]
    def classify(self, file: Path) -> dict[str, Any]:
        """Return the answer to one picture."""
        probabilities = self._classifier.classify(file.read_bytes())
        prediction = max(probabilities, key=probabilities.__getitem__)
        return {"prediction": prediction, "confidence": probabilities[prediction], "probabilities": probabilities}
