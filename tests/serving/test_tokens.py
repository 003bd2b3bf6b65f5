import logging
from datetime import UTC, datetime, timedelta

import pytest

from animals.config.settings import read_settings
from animals.errors import ConfigError, InvalidToken
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens, signing_key
from tests.support.published import KEY

PROBABILITIES = {"cat": 0.7123456789, "dog": 0.2876543211, "spider": 0.0}


def test_a_token_carries_the_answer() -> None:
    answer = Tokens("key").read(Tokens("key").sign("r1", "cat", PROBABILITIES))
    assert (answer.version, answer.prediction) == ("r1", "cat")
    assert answer.probabilities == pytest.approx(PROBABILITIES, abs=1e-5)
    assert list(answer.probabilities) == list(PROBABILITIES)
    assert abs(datetime.now(UTC) - answer.time) < timedelta(seconds=10)


def test_each_answer_has_an_id_of_its_own() -> None:
    tokens = Tokens("key")
    ids = {tokens.read(tokens.sign("r1", "cat", PROBABILITIES)).id for _ in range(20)}
    assert len(ids) == 20
    assert all(len(found) == 32 and found.isalnum() for found in ids), "an id becomes the name of an object"


def test_a_token_of_ten_labels_is_short_enough_for_a_url() -> None:
    token = Tokens("key").sign("20261124-101500-resnet18", "label-0", {f"label-{i}": 1 / 7 for i in range(10)})
    assert len(token) < 600
    assert set(token) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


@pytest.mark.parametrize("forged", ["", "x", "a.b.c", "é", "\ud800", "x" * 5_000, "x" * 100_000])
def test_what_was_never_a_token_is_refused(forged: str) -> None:
    with pytest.raises(InvalidToken, match="not issued by this service"):
        Tokens("key").read(forged)


def test_a_token_signed_with_another_key_is_refused() -> None:
    with pytest.raises(InvalidToken):
        Tokens("key").read(Tokens("other").sign("r1", "cat", PROBABILITIES))


def test_a_changed_token_is_refused() -> None:
    tokens = Tokens("key")
    token = tokens.sign("r1", "cat", PROBABILITIES)
    other = tokens.sign("r1", "dog", PROBABILITIES)
    with pytest.raises(InvalidToken):
        tokens.read(other.split(".")[1].join(["."] * 2) + token.partition(".")[2].partition(".")[2])
    for changed in (token[:-1], token[:100], token[1:], token * 2):
        with pytest.raises(InvalidToken):
            tokens.read(changed)
    for place in range(0, len(token), 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvalidToken):
            tokens.read(changed)


def test_a_signed_token_that_holds_no_answer_is_refused() -> None:
    tokens = Tokens("key")
    foreign = tokens._serializer.dumps({"something": "else"})
    with pytest.raises(InvalidToken):
        tokens.read(str(foreign))


def test_the_key_is_the_secret_in_the_settings() -> None:
    assert signing_key(BackendSettings(secret=KEY)) == KEY


def test_without_a_secret_the_key_is_random_and_a_warning_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "animals.serving"):
        keys = {signing_key(BackendSettings()) for _ in range(2)}
    assert len(keys) == 2
    assert "ANIMALS_SECRET is not set" in caplog.text
    assert not any(key in caplog.text for key in keys)


def test_on_cloud_run_a_secret_is_demanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "backend")
    with pytest.raises(ConfigError, match="ANIMALS_SECRET is not set"):
        signing_key(read_settings(BackendSettings))
