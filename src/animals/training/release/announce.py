"""Announce a published version to a repository at GitHub, whose workflow tests and promotes it.

`invoke announce VERSION` repeats it for a version whose announcement failed.
"""

from typing import Final

from animals import registry
from animals.config.settings import BucketSettings, GitHubSettings, read_settings
from animals.errors import AnimalsError, ConfigError
from animals.github import Dispatch, open_dispatch, repository_of
from animals.secret_manager import read_secret
from animals.storage import open_storage

EVENT: Final = "model-published"
"""Type of the event, which .github/workflows/model.yml waits for."""


class AnnounceSettings(GitHubSettings):
    """The repository to announce versions to, and the token for it, from the environment."""

    announce: str | None = None
    """github://OWNER/REPOSITORY; by default none."""
    github_token_name: str | None = None
    """Where Secret Manager keeps the token, if it is not set: projects/PROJECT/secrets/NAME/versions/latest."""


def check_announce_settings() -> None:
    """Raise before hours of training if a version could not be announced afterwards.

    Raises:
        ConfigError: the settings are wrong, or the token cannot be read.
    """
    settings = AnnounceSettings()
    if settings.announce:
        _open_dispatch(settings.announce, settings)


def announce(version: str, bucket: str) -> str | None:
    """Announce a version to the repository that ANIMALS_ANNOUNCE names.

    Returns:
        The repository; None if none is configured.

    Raises:
        ConfigError: the settings are wrong, or the token cannot be read.
        ServiceError: GitHub cannot be reached.
        RequestRefused: GitHub rejects the event.
    """
    settings = AnnounceSettings()
    if not settings.announce:
        return None
    send = _open_dispatch(settings.announce, settings)
    send(EVENT, {"version": version, "bucket": bucket})
    return repository_of(settings.announce)


def try_announce(version: str, bucket: str) -> str:
    """Announce a version that was published just now, and return lines for the terminal.

    A failure does not fail the training: the version is published, and training again would not help.
    """
    try:
        repository = announce(version, bucket)
    except AnimalsError as error:
        return (
            f"Not announced: {error}\n"
            f"          {version} is published, but no workflow tests and promotes it. Announce it by hand:\n"
            f"          ANIMALS_ANNOUNCE=github://OWNER/REPOSITORY uv run invoke announce {version}\n"
        )
    return f"Announced to {repository}, whose workflow tests and promotes it\n" if repository else ""


def _open_dispatch(target: str, settings: AnnounceSettings) -> Dispatch:
    repository = repository_of(target)
    if not repository:
        raise ConfigError(f"ANIMALS_ANNOUNCE is {target}; expected github://OWNER/REPOSITORY.")
    return open_dispatch(repository, _token(settings), api=settings.github_api)


def _token(settings: AnnounceSettings) -> str | None:
    if settings.github_token is None and settings.github_token_name:
        return read_secret(settings.github_token_name, variable="ANIMALS_GITHUB_TOKEN_NAME")
    return settings.github_token.get_secret_value() if settings.github_token else None


def announce_published(version: str) -> str:
    """Announce a version of the bucket in ANIMALS_BUCKET, and return a line for the terminal.

    Raises:
        AnimalsError: the bucket does not have the version, no repository is configured, or GitHub rejects the event.
    """
    storage = open_storage(read_settings(BucketSettings).bucket)
    version = registry.read_card(storage, version).version
    repository = announce(version, storage.url)
    if repository is None:
        raise ConfigError("ANIMALS_ANNOUNCE is not set; expected github://OWNER/REPOSITORY.")
    return f"Announced to {repository}: {version} is published in {storage.url}.\n"
