"""The steps from a picture to its prediction, the same for every route: decode, infer, respond."""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from animals.api import Prediction
from animals.serving.classifier import Classifier
from animals.serving.decoder import ModelInput, decode_pixels
from animals.serving.metrics import Metrics
from animals.serving.model_reloader import ModelReloader
from animals.serving.prediction_log import PredictionLog
from animals.serving.tokens import Tokens


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """One picture to classify."""

    picture: bytes | NDArray[np.float32]
    """Content of a picture's file, or pixels of shape (3, side, side) that the client has prepared."""
    filename: str = ""
    """The client's name of the file, which is only returned."""
    classifier: Classifier | None = None
    """The model to use; None for the one that serves when decoding begins."""


@dataclass(frozen=True, slots=True)
class _Decoded:
    """A request whose picture is ready for the model."""

    request: PredictRequest
    classifier: Classifier
    input: ModelInput
    started: float
    """When decoding began, by `time.perf_counter`."""


class Predictor:
    """Predicts the label of pictures, with one inference for all that use the same model."""

    def __init__(self, reloader: ModelReloader, tokens: Tokens, metrics: Metrics, log: PredictionLog) -> None:
        self._reloader = reloader
        self._tokens = tokens
        self._metrics = metrics
        self._log = log

    @property
    def seconds(self) -> float:
        """Least duration of one inference; 0 while there is no model."""
        served = self._reloader.served
        return served.classifier.seconds if served else 0.0

    def predict(self, requests: Sequence[PredictRequest]) -> list[Prediction | Exception]:
        """Return for each request, in order, a prediction or the error that prevented it.

        Errors are `NoModel`, `NotAPicture`, `PictureTooLarge`, and any other that concerns one picture only.
        """
        decoded = [self._decode(request) for request in requests]
        ready = [one for one in decoded if isinstance(one, _Decoded)]
        groups = groupby(ready, key=lambda one: one.classifier)
        predictions = iter([each for classifier, group in groups for each in self._infer(classifier, list(group))])
        return [one if isinstance(one, Exception) else next(predictions) for one in decoded]

    def _decode(self, request: PredictRequest) -> _Decoded | Exception:
        started = time.perf_counter()
        try:
            # the same model until the response, even if another is promoted meanwhile
            classifier = request.classifier or self._reloader.require_model().classifier
            with self._metrics.stages["decode"].time():
                if isinstance(request.picture, bytes):
                    decoded = classifier.decode(request.picture)
                else:
                    decoded = decode_pixels(request.picture)
            return _Decoded(request, classifier, decoded, started)
        except Exception as error:  # noqa: BLE001 -- one picture must not fail the others; the queue raises it
            return error

    def _infer(self, classifier: Classifier, group: Sequence[_Decoded]) -> list[Prediction]:
        with self._metrics.stages["inference"].time():
            output = classifier.infer(np.stack([one.input.pixels for one in group]))
        projections = [None] * len(group) if output.projections is None else output.projections
        return [
            self._to_response(one, probabilities, projection)
            for one, probabilities, projection in zip(group, output.probabilities.tolist(), projections, strict=True)
        ]

    def _to_response(
        self, decoded: _Decoded, probabilities: list[float], projection: NDArray[np.float32] | None
    ) -> Prediction:
        """Sign the prediction, count it and log it."""
        card, picture = decoded.classifier.card, decoded.request.picture
        by_label = dict(zip(card.labels, probabilities, strict=True))
        label = max(by_label, key=by_label.__getitem__)
        identity = uuid.uuid4().hex
        file = picture if isinstance(picture, bytes) else None
        prediction = Prediction(
            filename=printable(decoded.request.filename),
            prediction=label,
            confidence=by_label[label],
            probabilities=by_label,
            model_version=card.version,
            prediction_id=self._tokens.sign(card.version, label, by_label, identity, file),
        )
        self._metrics.count_prediction(label, prediction.confidence)
        milliseconds = (time.perf_counter() - decoded.started) * 1000
        self._log.add(identity, prediction, decoded.input, card.input, projection, milliseconds)
        return prediction


def printable(name: str) -> str:
    """Return the client's name of a file with everything replaced that cannot be encoded as UTF-8."""
    # a client may declare a charset in which half a character decodes
    return name.encode(errors="replace").decode()
