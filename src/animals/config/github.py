"""How a program speaks to GitHub, taken from environment variables: for those who ask for a training or tell of one."""

from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from animals.github import API


class GitHubSettings(BaseSettings):
    """By which right, and where."""

    model_config = SettingsConfigDict(
        env_prefix="ANIMALS_",
        env_ignore_empty=True,
        frozen=True,
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
    )

    github_token: Annotated[SecretStr | None, Field(validation_alias="GITHUB_TOKEN")] = None
    """With the right to write the repository's contents."""
    github_api: Annotated[str, Field(validation_alias="GITHUB_API_URL")] = API
    """Another one for GitHub Enterprise."""
