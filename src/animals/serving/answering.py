"""One picture's answer, the same whichever route asks for it: decode, infer, sign, count, remember."""

import time
import uuid

import numpy as np
from starlette.datastructures import State

from animals.records import Prediction
from animals.serving.classifier import Classifier, Prepared


def answer_picture(state: State, data: bytes, filename: str | None, classifier: Classifier | None = None) -> Prediction:
    """Say what is on a picture; run by `Engine.compute`, in a thread.

    Args:
        state: what the request carries.
        data: content of the picture's file.
        filename: what its sender calls it, which is only given back.
        classifier: that answers; else the one that serves.

    Raises:
        NoModel: none serves.
        NotAPicture: no decoder reads it, or it ends too early.
        PictureTooLarge: more pixels than allowed.
    """
    started = time.perf_counter()
    if classifier is None:
        classifier = state.watcher.serving().classifier  # this one to the end, whatever is promoted meanwhile
    with state.metrics.stage("decode"):
        prepared = classifier.open(data)
    return answer_prepared(state, prepared, filename, classifier, started)


def answer_prepared(
    state: State, prepared: Prepared, filename: str | None, classifier: Classifier, started: float
) -> Prediction:
    """The same for a picture that is decoded already.

    Args:
        state: what the request carries.
        prepared: by the spec of that classifier.
        filename: what its sender calls it.
        classifier: that answers.
        started: when this began, by `time.perf_counter`.
    """
    card = classifier.card
    with state.metrics.stage("inference"):
        answers = classifier.answer(prepared.pixels[np.newaxis])
    probabilities = dict(zip(card.labels, answers.probabilities[0].tolist(), strict=True))
    prediction = max(probabilities, key=probabilities.__getitem__)
    identity = uuid.uuid4().hex
    answer = Prediction(
        filename=printable(filename),
        prediction=prediction,
        confidence=probabilities[prediction],
        probabilities=probabilities,
        model_version=card.version,
        prediction_id=state.tokens.sign(card.version, prediction, probabilities, identity),
    )
    state.metrics.answered(prediction, answer.confidence)
    state.predictions.add(
        prediction_id=identity,
        version=card.version,
        probabilities=probabilities,
        prepared=prepared.pixels,
        spec=card.input,
        size=prepared.size,
        projection=None if answers.projections is None else answers.projections[0],
        milliseconds=(time.perf_counter() - started) * 1000,
    )
    return answer


def printable(name: str | None) -> str:
    """What a sender calls a file, as it can be sent back."""
    # A sender may declare a charset in which half a character decodes; such text cannot be encoded again.
    return (name or "").encode(errors="replace").decode()
