"""What the commands for Google Cloud have in common."""

import pytest

from tests.support.command import run


def test_a_project_must_be_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(SystemExit) as ended:
        run("gcp-setup", "--dry-run")
    assert ended.value.code == 2
    assert "Give --project, or set GOOGLE_CLOUD_PROJECT" in capsys.readouterr().err


def test_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-1")
    run("gcp-setup", "--dry-run")
    assert "gs://my-project-1-animals" in capsys.readouterr().out


def test_a_wrong_project_ends_with_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run("gcp-setup", "--dry-run", "--project=Mine")
    assert ended.value.code == 2
    assert "error: 'Mine' is not a project ID" in capsys.readouterr().err
