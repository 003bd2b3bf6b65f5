"""The backend as the page sees it."""

import base64
import time
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import AwareDatetime, Field

from animals.frontend.http_client import Service, View
from animals.records import Probability

ANSWER_SECONDS: Final = 30.0
"""For an answer: an instance that starts for it takes half of that."""


class LabelFigures(View):
    """How the model does on the test pictures of one label."""

    precision: float
    recall: float
    pictures: int


class Figures(View):
    """How the model does on its test pictures."""

    accuracy: float
    f1_macro: float
    pictures: int
    per_label: dict[str, LabelFigures] = Field(default_factory=dict)


class Model(View):
    """The version that serves."""

    version: str
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    architecture: str = ""
    created: AwareDatetime | None = None
    promoted: AwareDatetime | None = None
    metrics: Figures | None = None
    unknown_below: float | None = None
    """Confidence under which a picture is more likely of none of the labels."""


class Answer(View):
    """What the backend says of a picture."""

    prediction: str
    confidence: Probability
    probabilities: dict[str, Probability]
    model_version: str
    prediction_id: str


class Stored(View):
    """What the backend says that it has stored."""

    stored: Literal[True]
    label: str
    picture: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and how long it took from here and back."""

    answer: Answer
    seconds: float


class Backend:
    """Asks the backend; each method fails as `Service.ask` does."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def model(self) -> Model:
        """The version that serves."""
        return self._service.read(Model, "GET", "/model", seconds=ANSWER_SECONDS)

    def classify(self, name: str, data: bytes) -> Answered:
        """What is on a picture.

        Args:
            name: of its file.
            data: content of its file.
        """
        started = time.perf_counter()
        answer = self._service.read(Answer, "POST", "/classify/", seconds=ANSWER_SECONDS, files={"file": (name, data)})
        return Answered(answer, time.perf_counter() - started)

    def judge(self, prediction_id: str, label: str, picture: bytes | None) -> Stored:
        """Say what is really on a picture.

        Args:
            prediction_id: of the answer that is judged.
            label: what is on the picture.
            picture: content of its file, where the person lets it be kept.
        """
        said: dict[str, Any] = {"x": label, "prediction_id": prediction_id}
        if picture is not None:
            said["picture"] = base64.b64encode(picture).decode()
        return self._service.read(Stored, "POST", "/post_data/", seconds=ANSWER_SECONDS, json=said)

    def metrics(self) -> str:
        """Its counts, as Prometheus reads them."""
        return self._service.ask("GET", "/metrics", seconds=ANSWER_SECONDS).text
