"""The same model in LitServe, to compare with: `BENCH_VERSION=FOLDER python profiling/litserve_server.py PORT`."""

import os
import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from serving_classifier import load_classifier

MAX_BATCH = 8
BATCH_SECONDS = 0.005


class Animals(litserve.LitAPI):  # type: ignore[misc, unused-ignore]
    """Decodes, waits for others to make a batch with, and answers."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe gives it
        """Load the model, in the process that computes."""
        self._classifier = load_classifier(Path(os.environ["BENCH_VERSION"]))

    def decode_request(self, request: Request) -> NDArray[np.float32]:
        """The model's input for the file of a form."""
        return self._classifier.decode(request["file"].file.read()).pixels  # the form: LitServe has read it

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of a batch."""
        return self._classifier.infer(x).probabilities

    def encode_response(self, output: NDArray[np.float64]) -> dict[str, Any]:
        """One picture's answer."""
        probabilities = dict(zip(self._classifier.card.labels, output.tolist(), strict=True))
        prediction = max(probabilities, key=probabilities.__getitem__)
        return {"prediction": prediction, "confidence": probabilities[prediction], "probabilities": probabilities}


def main() -> None:
    """Serve."""
    api = Animals(api_path="/classify/", max_batch_size=MAX_BATCH, batch_timeout=BATCH_SECONDS)
    server = litserve.LitServer(api, accelerator="cpu", timeout=60)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")


if __name__ == "__main__":
    main()
