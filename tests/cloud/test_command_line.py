"""What the commands for Google Cloud have in common."""

import pytest

from tests.support.command import run


@pytest.mark.parametrize(
    ("options", "message"),
    [([], "Give --project, or set GOOGLE_CLOUD_PROJECT"), (["--project=Mine"], "error: 'Mine' is not a project ID")],
)
def test_a_project_must_be_named(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(SystemExit, match="2"):
        run("gcp-setup", "--dry-run", *options)
    assert message in capsys.readouterr().err


def test_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-1")
    run("gcp-setup", "--dry-run", "--region=us-east1")
    printed = capsys.readouterr().out
    assert "gs://my-project-1-animals" in printed
    assert "--location=us-east1" in printed
