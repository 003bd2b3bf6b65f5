"""What users do: show a picture, look at the answer for a second to three, tell whether it was right, and again.

    locust -f tests/locustfile.py --host http://localhost:8000

`ANIMALS_LOAD_QUESTIONS` names a JSON file that lists each picture's path and its right answer, as `invoke load-test`
makes it. A backend without feedback is asked for its model instead. "Try again later", which is 503 with Retry-After,
is no failure, but counted by itself.
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
    """One picture as it is sent, and what must come back."""

    def __init__(self, path: Path, answer: dict[str, float]) -> None:
        request = httpx.Request("POST", "http://x", files={"file": (path.name, path.read_bytes(), "image/jpeg")})
        self.body: Any = request.read()  # locust asks for text, but takes bytes
        self.headers = {"Content-Type": request.headers["content-type"]}
        self.answer = answer

    def mistake(self, found: dict[str, Any]) -> str:
        """What is wrong with an answer; nothing if it is right."""
        given = found["probabilities"]
        if given.keys() != self.answer.keys():
            return f"labels {sorted(given)}, expected {sorted(self.answer)}"
        if any(abs(given[label] - wanted) > TOLERANCE for label, wanted in self.answer.items()):
            return "probabilities of another picture or model"
        return "" if found["prediction"] == max(given, key=given.__getitem__) else "not the likeliest label"


class Load:
    """What all users share."""

    questions: list[Question] = []  # noqa: RUF012 - filled once, before the first user starts
    takes_feedback = False


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Environment, **_: Any) -> None:
    """Read the pictures, and ask the backend whether it takes feedback."""
    listed = json.loads(Path(os.environ["ANIMALS_LOAD_QUESTIONS"]).read_text(encoding="utf-8"))
    Load.questions = [Question(Path(path), answer) for path, answer in listed.items()]
    Load.takes_feedback = FEEDBACK in httpx.get(f"{environment.host}/openapi.json").json()["paths"]


def put_off(answer: Any) -> bool:
    """Whether the answer is "try again later", which is then no failure."""
    if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or "Retry-After" not in (answer.headers or {}):
        return False
    answer.request_meta["name"] = "shed"
    answer.success()
    return True


class Visitor(FastHttpUser):
    """Somebody who tries the service out."""

    wait_time = between(1, 3)

    @task
    def visit(self) -> None:
        """Show a picture, wait, and judge the answer."""
        found = self.classify(random.choice(Load.questions))  # noqa: S311 - no secret
        self.wait()  # type: ignore[no-untyped-call]
        if found and Load.takes_feedback:
            judged = {"x": found["prediction"], "prediction_id": found["prediction_id"]}
            with self.client.post(FEEDBACK, json=judged, name="feedback", catch_response=True) as answer:
                if not put_off(answer) and answer.status_code != httpx.codes.OK:
                    answer.failure(f"status {answer.status_code}")
        else:
            self.client.get("/model", name="model")

    def classify(self, question: Question) -> dict[str, Any] | None:
        """The answer, if it is right."""
        with self.client.post(
            "/classify/", data=question.body, headers=question.headers, name="classify", catch_response=True
        ) as answer:
            if put_off(answer):
                return None
            if answer.status_code != httpx.codes.OK:
                answer.failure(f"status {answer.status_code}")
                return None
            found: dict[str, Any] = answer.json()
            if mistake := question.mistake(found):
                answer.failure(f"wrong: {mistake}")
                return None
            return found
