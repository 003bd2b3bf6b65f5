"""Users who upload a picture, look at the answer for one to three seconds, give feedback, and repeat.

    locust -f profiling/serving/locustfile.py --host http://localhost:8000

`ANIMALS_LOAD_QUESTIONS` names a JSON file with each picture's path and right answer, as `invoke load-test` writes it. A
backend without feedback is asked for its model instead. 503 with Retry-After is no failure; it is counted as `shed`.
"""

import json
import os
import random
from pathlib import Path
from typing import Any

import httpx
from locust import FastHttpUser, between, events, task
from locust.env import Environment

TOLERANCE = 0.01
FEEDBACK = "/post_data/"


class Question:
    """One picture as it is sent, and the right answer."""

    def __init__(self, path: Path, answer: dict[str, float]) -> None:
        request = httpx.Request("POST", "http://x", files={"file": (path.name, path.read_bytes(), "image/jpeg")})
        self.body: Any = request.read()  # locust's types say text, but it takes bytes
        self.headers = {"Content-Type": request.headers["content-type"]}
        self.answer = answer

    def mistake(self, response: dict[str, Any]) -> str:
        """Return what is wrong with a response; empty if it is right."""
        given = response["probabilities"]
        if given.keys() != self.answer.keys():
            return f"labels {sorted(given)}, expected {sorted(self.answer)}"
        if any(abs(given[label] - share) > TOLERANCE for label, share in self.answer.items()):
            return "probabilities of another picture or model"
        return "" if response["prediction"] == max(given, key=given.__getitem__) else "not the most probable label"


class Load:
    """State that all users share."""

    questions: list[Question] = []  # noqa: RUF012 - filled once, before the first user starts
    takes_feedback = False


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Environment, **_: Any) -> None:
    """Read the pictures, and find out whether the backend takes feedback."""
    questions = json.loads(Path(os.environ["ANIMALS_LOAD_QUESTIONS"]).read_text(encoding="utf-8"))
    Load.questions = [Question(Path(path), answer) for path, answer in questions.items()]
    Load.takes_feedback = FEEDBACK in httpx.get(f"{environment.host}/openapi.json").json()["paths"]


def is_shed(response: Any) -> bool:
    """Return whether a response is 503 with Retry-After, and count it as shed."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE or "Retry-After" not in (response.headers or {}):
        return False
    response.request_meta["name"] = "shed"
    response.success()
    return True


class Visitor(FastHttpUser):
    """A visitor of the page."""

    wait_time = between(1, 3)

    @task
    def visit(self) -> None:
        """Upload a picture, wait, and give feedback."""
        answer = self.classify(random.choice(Load.questions))  # noqa: S311 - no secret
        self.wait()  # type: ignore[no-untyped-call]
        if answer and Load.takes_feedback:
            feedback = {"x": answer["prediction"], "prediction_id": answer["prediction_id"]}
            with self.client.post(FEEDBACK, json=feedback, name="feedback", catch_response=True) as response:
                if not is_shed(response) and response.status_code != httpx.codes.OK:
                    response.failure(f"status {response.status_code}")
        else:
            self.client.get("/model", name="model")

    def classify(self, question: Question) -> dict[str, Any] | None:
        """Return the answer if it is right."""
        with self.client.post(
            "/classify/", data=question.body, headers=question.headers, name="classify", catch_response=True
        ) as response:
            if is_shed(response):
                return None
            if response.status_code != httpx.codes.OK:
                response.failure(f"status {response.status_code}")
                return None
            answer: dict[str, Any] = response.json()
            if mistake := question.mistake(answer):
                response.failure(f"wrong: {mistake}")
                return None
            return answer
