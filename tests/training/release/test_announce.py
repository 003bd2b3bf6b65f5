"""A version that is published is told to a repository at GitHub; a failure of that is said, and ends nothing."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from animals.errors import ConfigError
from animals.storage import open_storage
from animals.training.release import announce
from animals.training.release.announce import AnnounceSettings, announced
from tests.support import secret_server
from tests.support.http import GitHub
from tests.support.published import publish
from tests.support.secret_server import Responses, secret_response
from tests.training.conftest import Trained

TOKEN = "ghp_nobody-may-see-this"  # noqa: S105 - not a real one
NAME = "projects/p/secrets/animals-github-token/versions/latest"


@pytest.fixture
def github(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """Told of versions, with a token."""
    monkeypatch.setenv("ANIMALS_ANNOUNCE", "github://me/zoo")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    return github


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Responses]:
    with secret_server.google(monkeypatch, tmp_path) as responses:
        yield responses


def test_by_default_nobody_is_told() -> None:
    assert announced("r1", "gs://zoo") == ""


def test_a_repository_is_told_of_version_and_bucket(github: GitHub) -> None:
    assert announced("r1", "gs://zoo") == "Told      me/zoo, whose workflow tests and promotes it\n"
    [request] = github.requests
    assert request.path == "/repos/me/zoo/dispatches"
    assert request.json() == {
        "event_type": "model-published",
        "client_payload": {"version": "r1", "bucket": "gs://zoo"},
    }


def test_the_token_may_be_in_secret_manager(github: GitHub, google: Responses, monkeypatch: pytest.MonkeyPatch) -> None:
    google[f"/v1/{NAME}:access"] = secret_response("from-the-secret\n")
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("ANIMALS_GITHUB_TOKEN_NAME", NAME)
    assert "me/zoo" in announced("r1", "gs://zoo")
    assert github.requests[0].headers["Authorization"] == "Bearer from-the-secret"


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"GITHUB_API_URL": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"GITHUB_TOKEN": ""}, "needs a token in GITHUB_TOKEN"),
        ({"GITHUB_TOKEN": "", "ANIMALS_GITHUB_TOKEN_NAME": "token"}, "ANIMALS_GITHUB_TOKEN_NAME=token is no secret"),
    ],
)
def test_a_failure_is_said_with_how_to_do_it_by_hand(
    variables: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = announced("r1", "gs://zoo")
    assert said.startswith("Told      nobody: ")
    assert reason in said
    assert "r1 is published" in said
    assert "uv run invoke announce r1" in said
    assert TOKEN not in said


def test_a_place_of_another_form_is_named_before_hours_of_training(
    monkeypatch: pytest.MonkeyPatch, pictures: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANIMALS_ANNOUNCE", "https://github.com/me/zoo")
    with pytest.raises(ConfigError, match="expected github://OWNER/REPOSITORY"):
        announce.check(AnnounceSettings())
    command = [sys.executable, "-m", "animals", "train", "experiment=folder", f"data.root={pictures}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert "ANIMALS_ANNOUNCE is https://github.com/me/zoo" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_published_later_is_announced_then(github: GitHub, trained: Trained, tmp_path: Path) -> None:
    words = ["-m", "animals", "publish", str(trained.run)]
    done = subprocess.run(
        [sys.executable, *words],
        env={**environment(github), "ANIMALS_BUCKET": str(tmp_path / "bucket")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Told      me/zoo" in done.stdout
    assert github.requests[0].json()["client_payload"]["version"] == trained.card.version


def environment(github: GitHub) -> dict[str, str]:
    return {"ANIMALS_ANNOUNCE": "github://me/zoo", "GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": github.url}


def by_hand(version: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "animals", "announce", version]
    return subprocess.run(command, env=variables, capture_output=True, encoding="utf-8", check=False)


def test_a_person_announces_a_version_that_is_there(github: GitHub, tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "bucket"))
    publish(storage, "r1")
    variables = {**environment(github), "ANIMALS_BUCKET": storage.url}
    assert f"me/zoo was told that r1 is published in {storage.url}." in by_hand("r1", variables).stdout
    missing = by_hand("r2", variables)
    assert missing.returncode == 1
    assert "has no version r2" in missing.stderr
    nobody = by_hand("r1", variables | {"ANIMALS_ANNOUNCE": ""})
    assert nobody.returncode == 2
    assert "ANIMALS_ANNOUNCE is not set" in nobody.stderr
    assert len(github.requests) == 1
