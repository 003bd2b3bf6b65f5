"""The same model in LitServe: `BENCH_VERSION=FOLDER python -m profiling.serving.litserve_server PORT`."""

import os
import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from profiling.serving.classifier import load_classifier

MAX_BATCH = 8
BATCH_SECONDS = 0.005


class Animals(litserve.LitAPI):  # type: ignore[misc, unused-ignore]
    """Decode, batch, predict and encode."""

    def setup(self, device: str) -> None:  # noqa: ARG002 - LitServe passes it
        """Load the model in a worker process."""
        self._classifier = load_classifier(Path(os.environ["BENCH_VERSION"]))

    def decode_request(self, request: Request) -> NDArray[np.float32]:
        """Return the model's input for the file of a form."""
        return self._classifier.decode(request["file"].file.read()).pixels  # LitServe has parsed the form

    def predict(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probabilities of a batch."""
        return self._classifier.infer(x).probabilities

    def encode_response(self, output: NDArray[np.float64]) -> dict[str, Any]:
        """Return the answer to one picture."""
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
