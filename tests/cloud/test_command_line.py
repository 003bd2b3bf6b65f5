"""`python -m animals.cloud`: what every command has in common."""

import pytest

from animals.cloud import __main__ as command_line


def main(*words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["animals.cloud", *words])
    command_line.main()


def test_a_project_must_be_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main("setup", "--dry-run", monkeypatch=monkeypatch)
    assert ended.value.code == 2
    assert "Give --project, or set GOOGLE_CLOUD_PROJECT" in capsys.readouterr().err


def test_the_environment_may_name_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "my-project-1")
    main("setup", "--dry-run", monkeypatch=monkeypatch)
    assert "gs://my-project-1-animals" in capsys.readouterr().out


def test_a_wrong_project_ends_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main("setup", "--dry-run", "--project=Mine", monkeypatch=monkeypatch)
    assert ended.value.code == 2
    assert "error: 'Mine' is not a project ID" in capsys.readouterr().err


@pytest.mark.parametrize("name", command_line.COMMANDS)
def test_every_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command_line.parse([name, "--help"])
    assert ended.value.code == 0
    assert "--dry-run" in capsys.readouterr().out
