"""What one visitor has asked and said: kept for as long as the page is open."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

from animals.errors import AnimalsError, ConfigError, ServiceError
from animals.frontend.backend_client import Answer, Answered, Backend, Stored
from animals.frontend.picture import Picture, preview


@dataclass
class Judgement:
    """What a person says about an answer, and what became of it."""

    label: str
    keep: bool
    """Whether the picture may be kept."""
    outcome: Stored | ServiceError | None = None
    """None until it was sent."""


@dataclass
class Conversation:
    """Questions, answers and judgements.

    Streamlit starts the page's script anew at each click, in another thread, even while the one before still waits for
    the backend. So each question is asked, and each judgement sent, under a lock and once.
    """

    answers: dict[str, Answered | AnimalsError] = field(default_factory=dict)
    judgements: dict[str, Judgement] = field(default_factory=dict)
    previews: dict[str, bytes | None] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def ask(self, backend: Backend, picture: Picture) -> Answered | AnimalsError:
        """The answer to a picture, or why there is none; the same until it is forgotten."""
        with self._lock:
            if picture.digest not in self.answers:
                self.answers[picture.digest] = _answer(backend, picture)
            return self.answers[picture.digest]

    def preview(self, picture: Picture) -> bytes | None:
        """The picture to look at, or None if it cannot be read."""
        if picture.digest not in self.previews:
            self.previews[picture.digest] = preview(picture.data)
        return self.previews[picture.digest]

    def forget_failures(self, pictures: Sequence[Picture]) -> None:
        """Ask again for the pictures that have no answer yet."""
        for picture in pictures:
            if isinstance(self.answers.get(picture.digest), AnimalsError):
                del self.answers[picture.digest]

    def judge(self, answer: Answer, label: str, *, keep: bool) -> None:
        """Take down what a person says; the first word counts until it is taken back."""
        self.judgements.setdefault(answer.prediction_id, Judgement(label, keep))

    def take_back(self, answer: Answer) -> None:
        """Let the person judge again; the backend keeps the last word."""
        self.judgements.pop(answer.prediction_id, None)

    def send(self, judgement: Judgement, backend: Backend, answer: Answer, picture: Picture) -> None:
        """Send a judgement, unless it was sent already."""
        with self._lock:
            if judgement.outcome is None:
                data = picture.data if judgement.keep else None
                try:
                    judgement.outcome = backend.judge(answer.prediction_id, judgement.label, data)
                except ServiceError as error:
                    judgement.outcome = error


def _answer(backend: Backend, picture: Picture) -> Answered | AnimalsError:
    try:
        return backend.classify(picture.name, picture.data)
    except (ServiceError, ConfigError) as error:
        return error
