"""Pictures' answers, the same whichever route asks for them: decode, infer, sign, count, remember."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby

import numpy as np
from numpy.typing import NDArray

from animals.api import Prediction
from animals.serving.classifier import Classifier, Prepared
from animals.serving.metrics import Metrics
from animals.serving.model_reloader import Watcher
from animals.serving.prediction_log import PredictionLog
from animals.serving.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Question:
    """A picture that waits for its answer."""

    open: Callable[[Classifier], Prepared]
    """Makes the model's input of it; run in a thread."""
    filename: str | None
    """What its sender calls it, which is only given back."""
    classifier: Classifier | None = None
    """That answers; else the one that serves when its turn comes."""
    file: bytes | None = None
    """Content of the picture's file, where there is one: the prediction id tells its digest."""


def picture(data: bytes, filename: str | None, classifier: Classifier | None = None) -> Question:
    """The question what is on a picture whose file has this content."""
    return Question(partial(Classifier.open, picture=data), filename, classifier, data)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A question whose picture is ready for the model."""

    question: Question
    classifier: Classifier
    prepared: Prepared
    started: float
    """When its decoding began, by `time.perf_counter`."""


class Answering:
    """Answers questions, those for the same model in one inference; the `work` of an `Engine`."""

    def __init__(self, watcher: Watcher, tokens: Tokens, metrics: Metrics, predictions: PredictionLog) -> None:
        self._watcher = watcher
        self._tokens = tokens
        self._metrics = metrics
        self._predictions = predictions

    def __call__(self, questions: Sequence[Question]) -> list[Prediction | Exception]:
        """The outcome of each question, in their order: a prediction, or why there is none.

        Those reasons are `NoModel`, `NotAPicture`, `PictureTooLarge`, or what else went wrong with this one alone.
        """
        opened = [self._open(question) for question in questions]
        ready = [one for one in opened if isinstance(one, _Opened)]
        by_model = groupby(ready, key=lambda one: one.classifier)
        answers = chain.from_iterable(self._answer(classifier, list(group)) for classifier, group in by_model)
        return [one if isinstance(one, Exception) else next(answers) for one in opened]

    def _open(self, question: Question) -> _Opened | Exception:
        started = time.perf_counter()
        try:
            # this one to the end, whatever is promoted meanwhile
            classifier = question.classifier or self._watcher.serving().classifier
            with self._metrics.stage("decode"):
                return _Opened(question, classifier, question.open(classifier), started)
        except Exception as error:  # noqa: BLE001 -- one picture's fault is not its neighbours'; the engine raises it
            return error

    def _answer(self, classifier: Classifier, group: Sequence[_Opened]) -> list[Prediction]:
        """One inference for all of them."""
        with self._metrics.stage("inference"):
            answers = classifier.answer(np.stack([one.prepared.pixels for one in group]))
        projections = [None] * len(group) if answers.projections is None else answers.projections
        return [
            self._tell(one, shares, projection)
            for one, shares, projection in zip(group, answers.probabilities.tolist(), projections, strict=True)
        ]

    def _tell(self, one: _Opened, shares: list[float], projection: NDArray[np.float32] | None) -> Prediction:
        """Sign an answer, count it, and remember it."""
        card = one.classifier.card
        probabilities = dict(zip(card.labels, shares, strict=True))
        prediction = max(probabilities, key=probabilities.__getitem__)
        identity = uuid.uuid4().hex
        answer = Prediction(
            filename=printable(one.question.filename),
            prediction=prediction,
            confidence=probabilities[prediction],
            probabilities=probabilities,
            model_version=card.version,
            prediction_id=self._tokens.sign(card.version, prediction, probabilities, identity, one.question.file),
        )
        self._metrics.answered(prediction, answer.confidence)
        self._predictions.add(
            prediction_id=identity,
            version=card.version,
            probabilities=probabilities,
            prepared=one.prepared.pixels,
            spec=card.input,
            size=one.prepared.size,
            projection=projection,
            milliseconds=(time.perf_counter() - one.started) * 1000,
        )
        return answer


def printable(name: str | None) -> str:
    """What a sender calls a file, as it can be sent back."""
    # A sender may declare a charset in which half a character decodes; such text cannot be encoded again.
    return (name or "").encode(errors="replace").decode()
