"""The state of one visitor: pictures, predictions and feedback, kept while the page is open."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from animals.api import FeedbackResponse, Prediction
from animals.errors import AnimalsError
from animals.frontend.clients import Backend
from animals.frontend.upload import Picture, make_preview


@dataclass(frozen=True, slots=True)
class TimedPrediction:
    """A prediction, and the seconds that the request took."""

    prediction: Prediction
    seconds: float


@dataclass
class Feedback:
    """The visitor's feedback on one prediction, and the result of sending it."""

    label: str
    keep_picture: bool
    result: FeedbackResponse | AnimalsError | None = None
    """None until it was sent."""


@dataclass
class Session:
    """The state of one visitor.

    Streamlit runs the page's script again at each click, in another thread, even while the previous run still waits
    for the backend. Therefore requests are sent under a lock, and each one once.
    """

    predictions: dict[str, TimedPrediction | AnimalsError] = field(default_factory=dict)
    """By the picture's digest."""
    feedback: dict[str, Feedback] = field(default_factory=dict)
    """By the prediction's id."""
    previews: dict[str, bytes | None] = field(default_factory=dict)
    """By the picture's digest."""
    _lock: Lock = field(default_factory=Lock)

    def classify(self, backend: Backend, picture: Picture) -> TimedPrediction | AnimalsError:
        """Return the prediction for a picture, or the error; both are kept until `forget_failures`."""
        with self._lock:
            if picture.digest not in self.predictions:
                started = time.perf_counter()
                try:
                    prediction = backend.classify(picture.name, picture.data)
                    self.predictions[picture.digest] = TimedPrediction(prediction, time.perf_counter() - started)
                except AnimalsError as error:
                    self.predictions[picture.digest] = error
            return self.predictions[picture.digest]

    def preview(self, picture: Picture) -> bytes | None:
        """Return a small JPEG of a picture; None if the picture cannot be decoded."""
        if picture.digest not in self.previews:
            self.previews[picture.digest] = make_preview(picture.data)
        return self.previews[picture.digest]

    def forget_failures(self, pictures: Sequence[Picture]) -> None:
        """Forget the errors of these pictures, so that they are classified again."""
        for picture in pictures:
            if isinstance(self.predictions.get(picture.digest), AnimalsError):
                del self.predictions[picture.digest]

    def give_feedback(self, prediction: Prediction, label: str, *, keep_picture: bool) -> None:
        """Record feedback on a prediction; the first one counts until it is withdrawn."""
        self.feedback.setdefault(prediction.prediction_id, Feedback(label, keep_picture))

    def withdraw_feedback(self, prediction: Prediction) -> None:
        """Let the visitor give feedback again; the backend replaces the earlier one."""
        self.feedback.pop(prediction.prediction_id, None)

    def send_feedback(self, feedback: Feedback, backend: Backend, prediction: Prediction, picture: Picture) -> None:
        """Send feedback and keep the result, unless it was sent already."""
        with self._lock:
            if feedback.result is None:
                data = picture.data if feedback.keep_picture else None
                try:
                    feedback.result = backend.submit_feedback(prediction.prediction_id, feedback.label, data)
                except AnimalsError as error:
                    feedback.result = error
