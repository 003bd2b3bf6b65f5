import pytest

from animals.config.settings import explain_settings, read_settings
from animals.errors import ConfigError
from animals.serving.settings import BackendSettings


def test_nothing_need_be_set() -> None:
    settings = read_settings(BackendSettings)
    assert settings.bucket == "data/bucket"
    assert settings.secret is None
    assert settings.address == ("127.0.0.1", 8000)
    assert not settings.in_cloud


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "ANIMALS_BUCKET": "gs://bucket/prefix",
        "ANIMALS_SECRET": "s3cret",
        "ANIMALS_HOST": "192.0.2.1",
        "PORT": "8080",
        "K_SERVICE": "backend",
        "GOOGLE_CLOUD_PROJECT": "my-project",
    }.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(BackendSettings)
    assert settings.bucket == "gs://bucket/prefix"
    assert settings.secret is not None
    assert settings.secret.get_secret_value() == "s3cret"
    assert settings.address == ("192.0.2.1", 8080)
    assert settings.in_cloud
    assert settings.project == "my-project"


def test_a_variable_set_to_nothing_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANIMALS_BUCKET", "ANIMALS_SECRET", "PORT", "K_SERVICE"):
        monkeypatch.setenv(name, "")
    assert read_settings(BackendSettings) == BackendSettings()


def test_all_impossible_values_are_named_as_they_were_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_MAX_PIXELS", "many")
    monkeypatch.setenv("ANIMALS_RELOAD_SECONDS", "0")
    monkeypatch.setenv("PORT", "80000")
    with pytest.raises(ConfigError) as refusal:
        read_settings(BackendSettings)
    assert all(part in str(refusal.value) for part in ("ANIMALS_MAX_PIXELS=many", "ANIMALS_RELOAD_SECONDS=0"))
    assert " PORT=80000: " in str(refusal.value)


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan"])
def test_a_wait_is_a_finite_time(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ANIMALS_RELOAD_SECONDS", value)
    with pytest.raises(ConfigError, match="ANIMALS_RELOAD_SECONDS"):
        read_settings(BackendSettings)


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANIMALS_SECRET", "s3cret")
    assert "s3cret" not in repr(read_settings(BackendSettings))


def test_every_variable_is_explained() -> None:
    lines = explain_settings(BackendSettings).splitlines()
    assert "  ANIMALS_RELOAD_SECONDS" in lines
    assert "  PORT" in lines
    assert len(lines) == 2 * len(BackendSettings.model_fields)
    assert not any("None" in line for line in lines)
