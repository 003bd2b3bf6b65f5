"""Tell a repository at GitHub that a version is published, so that a workflow tests and promotes it.

`invoke announce VERSION` does it again for a version whose announcement failed.
"""

from typing import Final

from animals import registry
from animals.config.settings import GitHubSettings
from animals.errors import AnimalsError, ConfigError
from animals.github import Dispatch, open_dispatch, repository_of
from animals.secret_manager import read_secret
from animals.storage import Storage

EVENT: Final = "model-published"
"""Type of the event, which .github/workflows/model.yml waits for."""


class AnnounceSettings(GitHubSettings):
    """Who is told, and by which right; taken from the environment."""

    announce: str | None = None
    """github://OWNER/REPOSITORY; by default nobody."""
    github_token_name: str | None = None
    """Where Secret Manager keeps it, if it is not set: projects/PROJECT/secrets/NAME/versions/latest."""


def check(settings: AnnounceSettings) -> None:
    """Find out before hours of training that nobody could be told.

    Raises:
        ConfigError: the settings are wrong, or the token cannot be had.
    """
    if settings.announce:
        _dispatch(settings.announce, settings)


def _dispatch(announce: str, settings: AnnounceSettings) -> Dispatch:
    repository = repository_of(announce)
    if not repository:
        raise ConfigError(f"ANIMALS_ANNOUNCE is {announce}; expected github://OWNER/REPOSITORY.")
    return open_dispatch(repository, _token(settings), api=settings.github_api)


def announce(settings: AnnounceSettings, version: str, bucket: str) -> str | None:
    """Tell of a version.

    Returns:
        Who was told; None where nobody is to be.

    Raises:
        ConfigError: the settings are wrong, or the token cannot be had.
        ServiceError: GitHub is away.
        RequestRefused: GitHub does not take it.
    """
    if not settings.announce:
        return None
    _dispatch(settings.announce, settings)(EVENT, {"version": version, "bucket": bucket})
    return repository_of(settings.announce)


def _token(settings: AnnounceSettings) -> str | None:
    if settings.github_token is None and settings.github_token_name:
        return read_secret(settings.github_token_name, variable="ANIMALS_GITHUB_TOKEN_NAME")
    return settings.github_token.get_secret_value() if settings.github_token else None


def announced(version: str, bucket: str) -> str:
    """Tell of a version that was published just now, and say how that went, in lines for a person.

    A failure is no error of the training: the version is published, and to train again would not help.
    """
    try:
        repository = announce(AnnounceSettings(), version, bucket)
    except AnimalsError as error:
        return (
            f"Told      nobody: {error}\n"
            f"          {version} is published, but no workflow tests and promotes it. Tell it by hand:\n"
            f"          ANIMALS_ANNOUNCE=github://OWNER/REPOSITORY uv run invoke announce {version}\n"
        )
    return f"Told      {repository}, whose workflow tests and promotes it\n" if repository else ""


def announce_again(storage: Storage, version: str) -> str:
    """Announce a version whose announcement failed.

    Returns:
        A line for a person.

    Raises:
        ConfigError: ANIMALS_ANNOUNCE is not set.
        AnimalsError: the version is not published, or GitHub did not take the event.
    """
    version = registry.read_card(storage, version).version
    repository = announce(AnnounceSettings(), version, storage.url)
    if repository is None:
        raise ConfigError("ANIMALS_ANNOUNCE is not set; expected github://OWNER/REPOSITORY.")
    return f"{repository} was told that {version} is published in {storage.url}.\n"
