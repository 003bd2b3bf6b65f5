"""A published model that answers: bytes of a picture in, probabilities out."""

import time
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from animals import inference
from animals.errors import BrokenModel, NotAPicture
from animals.preprocess import MAX_PIXELS, decode_picture, preprocess
from animals.records import Card

_REMEDY: Final = "Publish the run again or promote another version."


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture as the model wants it."""

    pixels: NDArray[np.float32]
    """Shape (3, side, side)."""
    size: tuple[int, int]
    """Width and height of the picture as it was sent, upright."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the model says of some pictures."""

    probabilities: NDArray[np.float64]
    """Shape (pictures, labels); each row sums to 1."""
    projections: NDArray[np.float32] | None
    """Shape (pictures, dimensions), see `outputs.ONNX_PROJECTION`; None where the model does not give them."""


class Classifier:
    """One version of the model in memory; several threads may ask it at once.

    Args:
        card: of the version; its labels are in the order of the model's outputs.
        model: content of the ONNX file.
        max_pixels: largest picture that is decoded.
        threads: that work on one picture. With as many pictures at once as there are CPUs, one thread for each answers
            the most.

    Raises:
        BrokenModel: the file cannot be run, or does not fit its card.
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
        """That one inference takes on a CPU of its own."""

    def classify(self, picture: bytes) -> dict[str, float]:
        """Probabilities by label, in the order of the card; they sum to 1.

        Raises:
            NotAPicture: no decoder reads it, or it ends too early.
            PictureTooLarge: more pixels than allowed.
        """
        probabilities = self.probabilities(self.prepare(picture)[np.newaxis])[0]
        return dict(zip(self.card.labels, probabilities.tolist(), strict=True))

    def open(self, picture: bytes) -> Prepared:
        """Decode a picture and bring it to the model's size.

        Raises:
            NotAPicture: no decoder reads it, or it ends too early.
            PictureTooLarge: more pixels than allowed.
        """
        if not picture:
            raise NotAPicture("The file is empty; expected a picture.")
        decoded = decode_picture(picture, max_pixels=self._max_pixels, spec=self.card.input)
        return Prepared(preprocess(decoded.image, self.card.input, decoded.box), decoded.size)

    def prepare(self, picture: bytes) -> NDArray[np.float32]:
        """The model's input for one picture, shape (3, side, side)."""
        return self.open(picture).pixels

    def answer(self, batch: NDArray[np.float32]) -> Answers:
        """What the model says of prepared pictures, of shape (pictures, 3, side, side)."""
        logits, *others = self._session.run(self._outputs, {inference.ONNX_INPUT: batch})
        return Answers(inference.probabilities(logits, self.card.temperature), others[0] if others else None)

    def probabilities(self, batch: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of prepared pictures.

        Args:
            batch: shape (pictures, 3, side, side).

        Returns:
            Shape (pictures, labels); each row sums to 1.
        """
        return self.answer(batch).probabilities

    def _time_one(self) -> float:
        batch = np.zeros((1, 3, self.card.input.side, self.card.input.side), np.float32)
        started = time.perf_counter()
        self.answer(batch)
        return time.perf_counter() - started

    def _self_test(self) -> None:
        """Answer one picture the way that every other is answered.

        Raises:
            BrokenModel: no answer, or not one finite number for each label of the card.
        """
        picture = BytesIO()
        Image.new("RGB", (1, 1), "grey").save(picture, "PNG")  # within every limit of pixels
        pixels = self.prepare(picture.getvalue())
        try:
            found = self.probabilities(pixels[np.newaxis])
        except inference.ONNX_ERRORS as error:
            raise BrokenModel(f"The model of {self.card.version} does not run: {error} {_REMEDY}") from error
        expected = (1, len(self.card.labels))
        if found.shape != expected:
            raise BrokenModel(
                f"The model of {self.card.version} answers with shape {found.shape}; "
                f"its card lists {expected[1]} labels, so {expected} was expected. {_REMEDY}"
            )
        if not np.isfinite(found).all():
            raise BrokenModel(f"The model of {self.card.version} answers with numbers that are not finite. {_REMEDY}")
