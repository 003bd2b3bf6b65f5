"""Who may ask, how often, from which page, and how much and how slowly they may send."""

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from animals.api import Problem
from animals.errors import ConfigError
from animals.serving.app import create_app
from animals.serving.settings import BackendSettings
from tests.support.published import Ready, plain

ANSWERED = {"file": plain("red")}


def test_with_keys_only_those_who_have_one_are_answered(ready: Ready) -> None:
    with ready(api_keys=SecretStr("first, schlüssel")) as client:
        for wrong in ("second", "", "first, schlüssel", "ü"):
            refusal = client.post("/classify/", files=ANSWERED, headers={b"X-API-Key": wrong.encode()})
            assert refusal.status_code == 401
            assert "X-API-Key" in Problem.model_validate_json(refusal.content).detail
        for key in ("first", "schlüssel"):
            answer = client.post("/classify/", files=ANSWERED, headers={b"X-API-Key": key.encode()})
            assert answer.status_code == 200
        assert {client.get(path).status_code for path in ("/metrics", "/model", "/", "/openapi.json")} == {401}
        assert {client.get(path).status_code for path in ("/healthz", "/readyz", "/readyz/")} == {200}
        document = client.get("/openapi.json", headers={"X-API-Key": "first"}).json()
    assert document["components"]["securitySchemes"]["APIKeyHeader"]["name"] == "X-API-Key"


def test_without_keys_the_document_asks_for_none(client: TestClient) -> None:
    assert "securitySchemes" not in client.get("/openapi.json").json()["components"]


def test_a_client_that_asks_too_often_is_told_when_to_come_back(ready: Ready) -> None:
    with ready(rate_limit="3/minute", k_service="backend") as client:  # probes are not counted
        near = {"X-Forwarded-For": "203.0.113.7"}
        assert [client.get("/model", headers=near).status_code for _ in range(3)] == [200] * 3
        # what stands before the last address, the client has made up
        refusal = client.get("/model", headers={"X-Forwarded-For": "198.51.100.1, 203.0.113.7"})
        assert refusal.status_code == 429
        assert 1 <= int(refusal.headers["retry-after"]) <= 60
        assert "3 per 1 minute" in Problem.model_validate_json(refusal.content).detail
        assert client.get("/model", headers={"X-Forwarded-For": "203.0.113.8"}).status_code == 200
        assert client.get("/model").status_code == 200
        assert client.get("/readyz", headers=near).status_code == 200


def test_without_a_limit_nobody_is_counted(client: TestClient) -> None:
    assert {client.get("/model").status_code for _ in range(30)} == {200}


def test_outside_of_the_cloud_no_header_says_who_a_client_is(ready: Ready) -> None:
    with ready(rate_limit="2/minute") as client:
        answers = [client.get("/model", headers={"X-Forwarded-For": f"203.0.113.{last}"}) for last in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]


def test_a_rate_that_is_none_is_refused_before_the_start(settings: BackendSettings) -> None:
    with pytest.raises(ConfigError, match="ANIMALS_RATE_LIMIT=often"):
        create_app(settings.model_copy(update={"rate_limit": "often"}))


def test_only_pages_that_are_configured_may_ask_from_a_browser(ready: Ready) -> None:
    page, other = "https://example.org", "https://example.com"
    with ready(cors_origins=f"{page}, https://example.net", api_keys=SecretStr("k")) as client:
        asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "X-API-Key"}
        assert client.options("/classify/", headers={"Origin": page, **asked}).status_code == 200
        assert client.options("/classify/", headers={"Origin": other, **asked}).status_code == 400
        # a refusal carries the header too, or else the page could not read it
        headers = client.post("/classify/", headers={"Origin": page}).headers
        assert headers["access-control-allow-origin"] == page
        assert "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": other}).headers


def test_by_default_no_page_may_ask(client: TestClient) -> None:
    assert "access-control-allow-origin" not in client.get("/healthz", headers={"Origin": "https://x.org"}).headers


def test_large_bodies_that_come_at_once_are_bounded_together(ready: Ready) -> None:
    with ready(max_uploads_bytes=20_000) as client:
        files = {"file": bytes(30_000)}
        refusal = client.post("/classify/", files=files)
        assert refusal.status_code == 503
        assert "being sent at once" in Problem.model_validate_json(refusal.content).detail
        assert refusal.headers["retry-after"] == "1"
        for _ in range(5):  # what was answered counts no longer
            assert client.post("/classify/", files={"file": plain("red")}).status_code == 200
            assert client.post("/classify/", files={"file": bytes(15_000)}).status_code == 415
