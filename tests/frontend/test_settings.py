import pytest

from animals.config.settings import explain_settings, read_settings
from animals.errors import ConfigError
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


def test_on_cloud_run_it_listens_on_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K_SERVICE", "animals-page")
    monkeypatch.setenv("PORT", "8080")
    assert read_settings(PageSettings).address == ("0.0.0.0", 8080)  # noqa: S104 - it must be there


@pytest.mark.parametrize(("name", "value"), [("ANIMALS_BACKEND", "nowhere"), ("ANIMALS_MAINTAINER", "maybe")])
def test_an_invalid_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=f"{name}={value}"):
        read_settings(PageSettings)


def test_each_variable_is_explained() -> None:
    text = explain_settings(PageSettings)
    for name in ("ANIMALS_BACKEND", "ANIMALS_BACKEND_SERVICE", "ANIMALS_REPORT", "ANIMALS_MAINTAINER", "PORT"):
        assert f"  {name}\n" in text
