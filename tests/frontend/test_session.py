"""Two runs of the page's script at once, as a second click starts one while the first still waits."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import requests

from animals.frontend.backend_client import Answer, Answered, Backend, Stored
from animals.frontend.http_client import Service
from animals.frontend.picture import Picture
from animals.frontend.session import Conversation
from tests.frontend.conftest import answer
from tests.support.stand_in import Heard, Said, StandIn, say

PICTURE = Picture("x.png", b"content")


def slowly(said: Said) -> Callable[[Heard], Said]:
    def wait(_: Heard) -> Said:
        time.sleep(0.3)
        return said

    return wait


def test_a_picture_is_asked_about_once(stand_in: StandIn) -> None:
    stand_in.answers["/classify/"] = slowly(say(answer(cat=0.9, dog=0.1)))
    talk, backend = Conversation(), Backend(Service("The model", stand_in.url, requests.Session()))
    with ThreadPoolExecutor() as runs:
        found = [run.result() for run in [runs.submit(talk.ask, backend, PICTURE) for _ in range(3)]]
    assert all(isinstance(each, Answered) for each in found)
    assert len(stand_in.on("/classify/")) == 1


def test_a_judgement_is_sent_once(stand_in: StandIn) -> None:
    stand_in.answers["/post_data/"] = slowly(say({"stored": True, "label": "cat"}))
    talk, backend = Conversation(), Backend(Service("The model", stand_in.url, requests.Session()))
    given = Answer.model_validate(answer(cat=0.9, dog=0.1))
    talk.judge(given, "cat", keep=False)
    talk.judge(given, "dog", keep=True)
    judgement = talk.judgements[given.prediction_id]
    with ThreadPoolExecutor() as runs:
        for run in [runs.submit(talk.send, judgement, backend, given, PICTURE) for _ in range(3)]:
            run.result()
    assert isinstance(judgement.outcome, Stored)
    assert [b'"cat"' in heard.body for heard in stand_in.on("/post_data/")] == [True]
