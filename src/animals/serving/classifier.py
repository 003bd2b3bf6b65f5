"""A published model in memory: a picture in, probabilities out."""

import time
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animals import inference
from animals.errors import BrokenModel
from animals.preprocess import MAX_PIXELS
from animals.records import Card
from animals.serving.decoder import ModelInput, decode_file

_REMEDY: Final = "Publish the run again or promote another version."


@dataclass(frozen=True, slots=True)
class ModelOutput:
    """The model's output for a batch of pictures."""

    probabilities: NDArray[np.float64]
    """Shape (pictures, labels); each row sums to 1."""
    projections: NDArray[np.float32] | None
    """Shape (pictures, dimensions), see `inference.ONNX_PROJECTION`; None where the network has no pooled features."""


class Classifier:
    """One version of the model; safe to use from several threads.

    With one call per CPU at a time, one ONNX Runtime thread each has the highest throughput.

    Raises:
        BrokenModel: the file cannot be run, or does not fit its card, whose labels are in the order of its outputs.
    """

    def __init__(self, card: Card, model: bytes, *, max_pixels: int = MAX_PIXELS, threads: int = 1) -> None:
        if len(set(card.labels)) != len(card.labels):
            raise BrokenModel(f"The card of {card.version} lists a label twice. {_REMEDY}")
        self.card = card
        self._max_pixels = max_pixels
        try:
            self._session = inference.open_session(model, threads=threads)
        except BrokenModel as error:
            raise BrokenModel(f"The ONNX file of {card.version} cannot be loaded: {error} {_REMEDY}") from error
        self._outputs = [inference.ONNX_OUTPUT]
        if inference.ONNX_PROJECTION in {output.name for output in self._session.get_outputs()}:
            self._outputs.append(inference.ONNX_PROJECTION)
        self._self_test()
        self.seconds = self._time_one()
        """Duration of one inference on an idle CPU."""

    def classify(self, file: bytes) -> dict[str, float]:
        """Return the probability of each label, in the order of the card; they sum to 1. Raises as `decode` does."""
        probabilities = self.infer(self.decode(file).pixels[np.newaxis]).probabilities[0]
        return dict(zip(self.card.labels, probabilities.tolist(), strict=True))

    def decode(self, file: bytes) -> ModelInput:
        """Decode a picture's file and resize it to the model's size."""
        return decode_file(file, self.card.input, max_pixels=self._max_pixels)

    def infer(self, batch: NDArray[np.float32]) -> ModelOutput:
        """Run the model on decoded pictures, of shape (pictures, 3, side, side)."""
        logits, *projections = self._session.run(self._outputs, {inference.ONNX_INPUT: batch})
        probabilities = inference.probabilities(logits, self.card.temperature)
        return ModelOutput(probabilities, projections[0] if projections else None)

    def _time_one(self) -> float:
        batch = np.zeros((1, 3, self.card.input.side, self.card.input.side), np.float32)
        started = time.perf_counter()
        self.infer(batch)
        return time.perf_counter() - started

    def _self_test(self) -> None:
        """Classify one picture as a request would: the model must return one finite number for each label."""
        file = BytesIO()
        Image.new("RGB", (1, 1), "grey").save(file, "PNG")  # within any limit of pixels
        batch = self.decode(file.getvalue()).pixels[np.newaxis]
        try:
            probabilities = self.infer(batch).probabilities
        except inference.ONNX_ERRORS as error:
            raise BrokenModel(f"The model of {self.card.version} does not run: {error} {_REMEDY}") from error
        expected = (1, len(self.card.labels))
        if probabilities.shape != expected:
            raise BrokenModel(
                f"The model of {self.card.version} returns shape {probabilities.shape}; "
                f"its card lists {expected[1]} labels, so {expected} was expected. {_REMEDY}"
            )
        if not np.isfinite(probabilities).all():
            raise BrokenModel(f"The model of {self.card.version} returns numbers that are not finite. {_REMEDY}")
