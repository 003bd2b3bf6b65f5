"""The same model in BentoML, to compare with: `BENCH_VERSION=FOLDER bentoml serve bentoml_server:Animals`.

Started in this folder. Each picture is computed for itself: on one CPU a batch is no faster.
"""

import os
from pathlib import Path
from typing import Any

import bentoml
from serving_classifier import load_classifier


@bentoml.service(  # type: ignore[misc, untyped-decorator, unused-ignore]
    workers=1,
    traffic={"timeout": 60},
    runner_connection={"max_requests": 1_000_000_000},  # else calls in flight are dropped every 100 calls
    logging={"access": {"enabled": False}},
)
class Animals:
    """Answers pictures."""

    def __init__(self) -> None:
        self._classifier = load_classifier(Path(os.environ["BENCH_VERSION"]))

    @bentoml.api(route="/classify/")  # type: ignore[misc, untyped-decorator, unused-ignore]
    def classify(self, file: Path) -> dict[str, Any]:
        """One picture's answer."""
        probabilities = self._classifier.classify(file.read_bytes())
        prediction = max(probabilities, key=probabilities.__getitem__)
        return {"prediction": prediction, "confidence": probabilities[prediction], "probabilities": probabilities}
