"""Settings of the services, taken from environment variables: most start with `ANIMALS_`, the rest are the cloud's."""

from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from animals.errors import ConfigError
from animals.preprocess import MAX_PIXELS

DEFAULT_BUCKET = "data/bucket"


class ServiceSettings(BaseSettings):
    """What a service reads from its environment; a variable that is set to nothing counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="ANIMALS_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

    bucket: str = DEFAULT_BUCKET
    """A local folder or gs://name/prefix."""
    secret: SecretStr | None = None
    """Key that signs prediction ids. Without one a random key is made at start, so ids end with the process."""
    max_upload_bytes: Annotated[int, Field(ge=1)] = 20_000_000
    """Largest request that is read."""
    max_pixels: Annotated[int, Field(ge=1)] = MAX_PIXELS
    """Largest picture, width times height, that is decoded."""
    reload_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    """How long to wait before looking again for a published model."""
    host: str | None = None
    """Address to listen on. By default this machine only; on Cloud Run every address."""
    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8000
    """Port to listen on; 0 takes any free one."""
    k_service: Annotated[str | None, Field(validation_alias="K_SERVICE")] = None
    """Set by Cloud Run."""
    project: Annotated[str | None, Field(validation_alias="GOOGLE_CLOUD_PROJECT")] = None
    """The Google Cloud project, so that log lines are found by their trace."""

    @property
    def in_cloud(self) -> bool:
        """Whether this process runs on Cloud Run."""
        return self.k_service is not None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        return self.host or ("0.0.0.0" if self.in_cloud else "127.0.0.1"), self.port  # noqa: S104 - it must be there


def read_settings() -> ServiceSettings:
    """The settings in the environment.

    Raises:
        ConfigError: a variable has an impossible value; all such are named.
    """
    try:
        return ServiceSettings()
    except ValidationError as error:
        problems = "; ".join(
            f"{_variable(str(problem['loc'][0]))}={problem['input']}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(f"The environment has impossible settings. {problems}.") from error


def explain_settings() -> str:
    """Each variable with its meaning, for a program's help."""
    return "\n".join(
        f"  {_variable(str(field.validation_alias or name))}\n      {field.description}"
        + ("" if field.default is None else f" [{field.default}]")
        for name, field in ServiceSettings.model_fields.items()
    )


def _variable(place: str) -> str:
    # pydantic names a setting by its field, or by its alias where it has one
    return place if place.isupper() else f"ANIMALS_{place.upper()}"
