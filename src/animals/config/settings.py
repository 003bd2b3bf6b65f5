"""Bases of all settings that come from environment variables, and what the services' commands do with them.

Each service has its own class beside it, such as `serving/settings.py`. Most variables begin with `ANIMALS_`; the
others are those of the cloud.
"""

import argparse
import socket
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from animals.errors import AnimalsError, ConfigError
from animals.github import API

DEFAULT_BUCKET = "data/bucket"


class EnvironmentSettings(BaseSettings):
    """Base of all settings; an empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="ANIMALS_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )


Settings = TypeVar("Settings", bound=EnvironmentSettings)


class BucketSettings(EnvironmentSettings):
    """The bucket, for everything that reads or writes it."""

    bucket: str = DEFAULT_BUCKET
    """A local folder or gs://name/prefix."""


class ServerSettings(EnvironmentSettings):
    """The address of a service."""

    host: str | None = None
    """Address to listen on. By default this machine only; on Cloud Run every address."""
    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8000
    """Port to listen on; 0 takes any free one."""
    k_service: Annotated[str | None, Field(validation_alias="K_SERVICE")] = None
    """Set by Cloud Run."""

    @property
    def in_cloud(self) -> bool:
        """Whether this process runs on Cloud Run."""
        return self.k_service is not None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return self.host or ("0.0.0.0" if self.in_cloud else "127.0.0.1"), self.port  # noqa: S104 - Cloud Run needs it


class GitHubSettings(EnvironmentSettings):
    """Access to GitHub."""

    model_config = SettingsConfigDict(validate_by_name=True, validate_by_alias=True)

    github_token: Annotated[SecretStr | None, Field(validation_alias="GITHUB_TOKEN")] = None
    """With the right to write the repository's contents."""
    github_api: Annotated[str, Field(validation_alias="GITHUB_API_URL")] = API
    """Another one for GitHub Enterprise."""


def read_settings(kind: type[Settings]) -> Settings:
    """Read settings from the environment.

    Raises:
        ConfigError: variables have impossible values; the message names all of them.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = "; ".join(
            f"{_variable(str(problem['loc'][0]))}={problem['input']}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(f"The environment has impossible settings. {problems}.") from error


def explain_settings(kind: type[EnvironmentSettings]) -> str:
    """Return each variable with its meaning, for a program's help."""
    return "\n".join(
        f"  {_variable(str(field.validation_alias or name))}\n      {field.description}"
        + ("" if field.default is None else f" [{field.default}]")
        for name, field in kind.model_fields.items()
    )


def _variable(name: str) -> str:
    # pydantic names a setting by its field, or by its alias where it has one
    return name if name.isupper() else f"ANIMALS_{name.upper()}"


def parse_no_arguments(command: str, description: str, settings: type[EnvironmentSettings]) -> None:
    """Print the variables that configure a service on --help; refuse arguments.

    Raises:
        SystemExit: after the help, or because of an argument.
    """
    argparse.ArgumentParser(
        prog=command,
        description=f"{description} Environment variables configure it:",
        epilog=explain_settings(settings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()


def listen(address: tuple[str, int], *, otherwise: str) -> socket.socket:
    """Listen on a port; connections wait from then on.

    Args:
        address: host and port; port 0 takes any free one.
        otherwise: the command that chooses another port, for the error message.

    Raises:
        AnimalsError: another program listens there, or this machine has no such address.
    """
    host, port = address
    try:
        return socket.create_server(address, family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]  # Python adds the address in brackets
        raise AnimalsError(
            f"Cannot listen on {host}:{port}: {reason}. Stop what listens there, or choose another port: {otherwise}"
        ) from error
