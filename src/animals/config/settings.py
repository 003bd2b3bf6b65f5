"""Settings of the services, taken from environment variables: most start with `ANIMALS_`, the rest are the cloud's."""

from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from animals.cli import split_commas
from animals.errors import ConfigError
from animals.preprocess import MAX_PIXELS

DEFAULT_BUCKET = "data/bucket"

Settings = TypeVar("Settings", bound="Listening")


class Listening(BaseSettings):
    """What each service reads from its environment; a variable that is set to nothing counts as not set."""

    model_config = SettingsConfigDict(
        env_prefix="ANIMALS_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True
    )

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
        return self.host or ("0.0.0.0" if self.in_cloud else "127.0.0.1"), self.port  # noqa: S104 - it must be there


class ServiceSettings(Listening):
    """What the backend and the report function read."""

    bucket: str = DEFAULT_BUCKET
    """A local folder or gs://name/prefix."""
    secret: SecretStr | None = None
    """Key that signs prediction ids. Without one a random key is made at start, so ids end with the process."""
    secret_name: str | None = None
    """Where Secret Manager keeps that key, if it is not set: projects/PROJECT/secrets/NAME/versions/latest."""
    token_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """How long feedback on an answer is accepted."""
    max_upload_bytes: Annotated[int, Field(ge=1)] = 20_000_000
    """Largest request that is read."""
    max_pixels: Annotated[int, Field(ge=1)] = MAX_PIXELS
    """Largest picture, width times height, that is decoded."""
    max_uploads_bytes: Annotated[int, Field(ge=1)] = 100_000_000
    """Of all requests together that are not answered yet."""
    upload_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """How long a request's body may take to come."""
    deadline_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 0.9
    """How long a picture may wait for its turn; if it would be longer, the answer is 503 at once."""
    api_keys: SecretStr | None = None
    """Keys, with commas between, of which a request must send one as X-API-Key. By default anybody may ask."""
    rate_limit: str | None = None
    """How often one client may ask, such as 60/minute, at each instance. By default as often as it likes."""
    cors_origins: str | None = None
    """Web pages, with commas between, whose scripts may ask, such as https://example.org; * for all."""
    reload_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 5.0
    """How long to wait before looking again for a promoted model."""
    predictions_batch: Annotated[int, Field(ge=1)] = 500
    """Entries of the prediction log that make one object in the bucket."""
    predictions_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """After how long fewer entries are stored too."""
    predictions_bytes: Annotated[int, Field(ge=0)] = 8_000_000
    """Memory for entries that are not stored yet, beyond which the oldest are dropped; 0 turns the log off."""
    project: Annotated[str | None, Field(validation_alias="GOOGLE_CLOUD_PROJECT")] = None
    """The Google Cloud project, so that log lines are found by their trace."""

    @property
    def keys(self) -> frozenset[str]:
        """API keys, of which a request must send one; none: anybody may ask."""
        return frozenset(split_commas(self.api_keys.get_secret_value() if self.api_keys else ""))

    @property
    def origins(self) -> list[str]:
        """Web pages whose scripts may ask."""
        return split_commas(self.cors_origins or "")


def read_settings() -> ServiceSettings:
    """The backend's settings in the environment; errors as for `read`."""
    return read(ServiceSettings)


def read(kind: type[Settings]) -> Settings:
    """The settings in the environment.

    Raises:
        ConfigError: a variable has an impossible value; all such are named.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = "; ".join(
            f"{_variable(str(problem['loc'][0]))}={problem['input']}: {problem['msg']}" for problem in error.errors()
        )
        raise ConfigError(f"The environment has impossible settings. {problems}.") from error


def explain_settings(kind: type[Listening] = ServiceSettings) -> str:
    """Each variable with its meaning, for a program's help."""
    return "\n".join(
        f"  {_variable(str(field.validation_alias or name))}\n      {field.description}"
        + ("" if field.default is None else f" [{field.default}]")
        for name, field in kind.model_fields.items()
    )


def _variable(place: str) -> str:
    # pydantic names a setting by its field, or by its alias where it has one
    return place if place.isupper() else f"ANIMALS_{place.upper()}"
