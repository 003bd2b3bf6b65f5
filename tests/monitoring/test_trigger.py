"""Training requests: sent by the configured trigger, once a day."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from pydantic import SecretStr

from animals.errors import AnimalsError, ConfigError, RequestRefused, ServiceError
from animals.monitoring import trigger
from animals.monitoring.trigger import RetrainRequest, Trigger, TriggerSettings, open_trigger, send_once
from animals.storage import FolderStorage, Storage
from tests.support import pubsub
from tests.support.http import GitHub
from tests.support.pubsub import Topic

TOPIC = "projects/zoo/topics/retrain"
TOKEN = "ghp_secret"  # noqa: S105 - not a real one


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    with pubsub.running_topic() as topic:
        monkeypatch.setenv("PUBSUB_EMULATOR_HOST", topic.address)
        yield topic


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait half a minute for who is away."""
    monkeypatch.setattr(trigger, "SECONDS", 0.5)


def retrain_request(version: str = "r1", day: int = 24) -> RetrainRequest:
    return RetrainRequest(
        created=datetime(2026, 11, day, 8, tzinfo=UTC), version=version, bucket="gs://zoo", reasons=("It is time.",)
    )


def to_github(url: str, token: str | None = TOKEN) -> Trigger | None:
    secret = None if token is None else SecretStr(token)
    return open_trigger(TriggerSettings(trigger="github://zoo/animals", github_token=secret, github_api=url))


def opened(found: Trigger | None) -> Trigger:
    assert found is not None
    return found


def to_pubsub() -> Trigger:
    return opened(open_trigger(TriggerSettings(trigger=f"pubsub://{TOPIC}")))


def test_by_default_no_request_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANIMALS_TRIGGER", raising=False)
    assert open_trigger(TriggerSettings()) is None


@pytest.mark.parametrize(
    "setting",
    [
        *("prin", "pubsub://", "pubsub://projects/zoo", "pubsub://projects/zoo/topics/"),
        *("pubsub://projects/z/topics/a/b", "github://", "github://zoo", "github://zoo/animals/x"),
        *("github://../user", "github://zoo/..", "http://zoo/animals"),
    ],
)
def test_a_setting_of_another_form_is_refused_with_those_that_there_are(
    setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANIMALS_TRIGGER", setting)
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with pytest.raises(ConfigError) as error:
        open_trigger(TriggerSettings())
    assert f"ANIMALS_TRIGGER is {setting}; expected print, pubsub://projects/PROJECT/topics/TOPIC or" in str(
        error.value
    )


def test_pubsub_gets_the_request_as_a_message_with_what_to_filter_by(topic: Topic) -> None:
    asked = retrain_request()
    to_pubsub()(asked)
    [published] = topic.requests
    assert published.topic == TOPIC
    [message] = published.messages
    assert RetrainRequest.model_validate_json(message.data) == asked
    assert message.attributes["version"] == "r1"
    assert message.attributes["id"] == asked.id


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (grpc.StatusCode.NOT_FOUND, RequestRefused, f"There is no topic {TOPIC}. Create it or set ANIMALS_TRIGGER."),
        (grpc.StatusCode.PERMISSION_DENIED, RequestRefused, "Pub/Sub Publisher"),
        (grpc.StatusCode.UNAUTHENTICATED, RequestRefused, "gcloud auth application-default login"),
        (grpc.StatusCode.UNAVAILABLE, ServiceError, f"{TOPIC} cannot be reached"),
    ],
)
@pytest.mark.usefixtures("soon")
def test_what_pubsub_refuses_is_said_with_what_to_do(
    topic: Topic, status: grpc.StatusCode, error: type[AnimalsError], said: str
) -> None:
    topic.refusal = status
    with pytest.raises(error, match=said):
        to_pubsub()(retrain_request())
    assert not topic.requests


@pytest.mark.usefixtures("soon")
def test_pubsub_away_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    with pytest.raises(ServiceError, match=f"{TOPIC} cannot be reached"):
        to_pubsub()(retrain_request())


def test_pubsub_without_a_log_in_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(RequestRefused, match="gcloud auth application-default login"):
        to_pubsub()(retrain_request())


def test_github_gets_the_event_with_the_request(github: GitHub) -> None:
    asked = retrain_request()
    opened(to_github(github.url + "/", f"{TOKEN}\n"))(asked)
    [request] = github.requests
    assert request.path == "/repos/zoo/animals/dispatches"
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.json()["event_type"] == "retrain"
    assert RetrainRequest.model_validate_json(json.dumps(request.json()["client_payload"])) == asked
    assert len(request.json()["client_payload"]) <= 10  # as many as GitHub takes


def test_a_training_is_asked_for_once_a_day_and_version(bucket: Storage) -> None:
    sent: list[RetrainRequest] = []
    first = retrain_request()
    assert send_once(sent.append, first, bucket)
    assert not send_once(sent.append, retrain_request(), bucket)
    assert send_once(sent.append, retrain_request("r2"), bucket)
    assert send_once(sent.append, retrain_request(day=25), bucket)
    assert [(asked.version, asked.created.day) for asked in sent] == [("r1", 24), ("r2", 24), ("r1", 25)]
    assert RetrainRequest.model_validate_json(bucket.read("retrain/date=2026-11-24/r1.json").data) == first


def test_of_many_who_ask_at_once_one_gets_through(bucket: Storage) -> None:
    sent: list[RetrainRequest] = []
    start = threading.Barrier(5)

    def ask() -> None:
        start.wait()
        send_once(sent.append, retrain_request(), bucket)

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 1


def test_what_could_not_be_sent_is_tried_again(bucket: Storage) -> None:
    def away(_: RetrainRequest) -> None:
        raise ServiceError("away")

    sent: list[RetrainRequest] = []
    with pytest.raises(ServiceError):
        send_once(away, retrain_request(), bucket)
    assert send_once(sent.append, retrain_request(), bucket)
    assert len(sent) == 1


def test_that_it_was_not_sent_is_said_even_if_the_bucket_is_away_by_then(tmp_path: Path) -> None:
    folder = FolderStorage(tmp_path)

    def away(_: RetrainRequest) -> None:
        for path in sorted(folder.root.rglob("*.json")):
            path.unlink()
        raise ServiceError("no such host")

    with pytest.raises(ServiceError, match="no such host"):
        send_once(away, retrain_request(), folder)
