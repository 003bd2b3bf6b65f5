"""Two runs of the page's script at once: a second click starts one while the first still waits."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from animals.api import FeedbackResponse, Prediction
from animals.frontend.clients import Backend, local_session
from animals.frontend.http_client import HttpClient
from animals.frontend.session import Session, TimedPrediction
from animals.frontend.upload import Picture
from tests.frontend.conftest import predicted, stored
from tests.support.http import Request, Response, json_response
from tests.support.stand_in import StandIn

PICTURE = Picture("x.png", b"content")


@pytest.fixture
def backend(stand_in: StandIn) -> Backend:
    return Backend(HttpClient("The model", stand_in.url, local_session()))


def slow(response: Response) -> Callable[[Request], Response]:
    def respond(_: Request) -> Response:
        time.sleep(0.3)
        return response

    return respond


def test_a_picture_is_classified_once(stand_in: StandIn, backend: Backend) -> None:
    stand_in.responses["/classify/"] = slow(json_response(predicted(cat=0.9, dog=0.1)))
    session = Session()
    with ThreadPoolExecutor() as runs:
        results = list(runs.map(lambda _: session.classify(backend, PICTURE), range(3)))
    assert all(isinstance(result, TimedPrediction) for result in results)
    assert len(stand_in.received("/classify/")) == 1


def test_feedback_is_sent_once(stand_in: StandIn, backend: Backend) -> None:
    stand_in.responses["/post_data/"] = slow(json_response(stored("cat")))
    session, prediction = Session(), Prediction.model_validate(predicted(cat=0.9, dog=0.1))
    session.give_feedback(prediction, "cat", keep_picture=False)
    session.give_feedback(prediction, "dog", keep_picture=True)
    feedback = session.feedback[prediction.prediction_id]
    with ThreadPoolExecutor() as runs:
        list(runs.map(lambda _: session.send_feedback(feedback, backend, prediction, PICTURE), range(3)))
    assert isinstance(feedback.result, FeedbackResponse)
    assert [request.json()["x"] for request in stand_in.received("/post_data/")] == ["cat"]
