"""A published version is announced to a repository at GitHub; a failure of that does not fail the training."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from animals.errors import ConfigError, NoModel
from animals.storage import open_storage
from animals.training.release.announce import announce_published, try_announce
from tests.support import secret_server
from tests.support.command import run
from tests.support.http import GitHub
from tests.support.published import publish
from tests.support.secret_server import Responses, secret_response
from tests.support.training import run_training
from tests.training.conftest import Trained

TOKEN = "ghp_secret"  # noqa: S105 - not a real one
NAME = "projects/p/secrets/animals-github-token/versions/latest"


@pytest.fixture
def github(github: GitHub, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    """A repository to announce to, with a token."""
    monkeypatch.setenv("ANIMALS_ANNOUNCE", "github://me/zoo")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", github.url)
    return github


@pytest.fixture
def google(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Responses]:
    with secret_server.google(monkeypatch, tmp_path) as responses:
        yield responses


def test_by_default_no_version_is_announced() -> None:
    assert try_announce("r1", "gs://zoo") == ""


def test_an_announcement_has_version_and_bucket(github: GitHub) -> None:
    assert try_announce("r1", "gs://zoo") == "Announced to me/zoo, whose workflow tests and promotes it\n"
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
    assert "me/zoo" in try_announce("r1", "gs://zoo")
    assert github.requests[0].headers["Authorization"] == "Bearer from-the-secret"


@pytest.mark.usefixtures("github")
@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"GITHUB_API_URL": "http://127.0.0.1:1"}, "cannot be reached"),
        ({"GITHUB_TOKEN": ""}, "needs a token in GITHUB_TOKEN"),
        (
            {"GITHUB_TOKEN": "", "ANIMALS_GITHUB_TOKEN_NAME": "token"},
            "ANIMALS_GITHUB_TOKEN_NAME=token is not the name of a secret",
        ),
    ],
)
def test_a_failure_says_how_to_announce_by_hand(
    variables: dict[str, str], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    lines = try_announce("r1", "gs://zoo")
    assert lines.startswith("Not announced: ")
    assert reason in lines
    assert "r1 is published" in lines
    assert "uv run invoke announce r1" in lines
    assert TOKEN not in lines


def test_a_wrong_setting_is_an_error_before_the_training(
    monkeypatch: pytest.MonkeyPatch, pictures: Path, tmp_path: Path
) -> None:
    monkeypatch.setenv("ANIMALS_ANNOUNCE", "https://github.com/me/zoo")
    done = run_training(tmp_path, "experiment=folder", f"data.root={pictures}", check=False)
    assert done.returncode == 2
    assert "ANIMALS_ANNOUNCE is https://github.com/me/zoo; expected github://OWNER/REPOSITORY" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_a_run_that_is_published_later_is_announced_then(
    github: GitHub,
    trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ANIMALS_BUCKET", str(tmp_path / "bucket"))
    run("publish", str(trained.run))
    assert "Announced to me/zoo" in capsys.readouterr().out
    assert github.requests[0].json()["client_payload"]["version"] == trained.card.version


def test_a_published_version_is_announced_by_hand(
    github: GitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(str(tmp_path / "bucket"))
    publish(storage, "r1")
    monkeypatch.setenv("ANIMALS_BUCKET", storage.url)
    assert announce_published("r1") == f"Announced to me/zoo: r1 is published in {storage.url}.\n"
    with pytest.raises(NoModel, match="has no version r2"):
        announce_published("r2")
    monkeypatch.setenv("ANIMALS_ANNOUNCE", "")
    with pytest.raises(ConfigError, match="ANIMALS_ANNOUNCE is not set"):
        announce_published("r1")
    assert len(github.requests) == 1
