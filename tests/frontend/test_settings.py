import pytest

from animals.config.settings import read_settings
from animals.frontend.settings import PageSettings


def test_by_default_all_services_are_on_this_machine() -> None:
    settings = read_settings(PageSettings)
    assert settings.address == ("127.0.0.1", 8501)
    assert (settings.backend, str(settings.report), settings.maintainer) == (None, "http://127.0.0.1:8082/", False)


def test_environment_variables_change_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_BACKEND", "https://animals.example/api")
    monkeypatch.setenv("ANIMALS_MAINTAINER", "1")
    monkeypatch.setenv("ANIMALS_API_KEY", "secret")
    settings = read_settings(PageSettings)
    assert (str(settings.backend), settings.maintainer) == ("https://animals.example/api", True)
    assert "secret" not in repr(settings)
