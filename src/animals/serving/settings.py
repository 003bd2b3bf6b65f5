"""Settings of the backend."""

from typing import Annotated

from pydantic import Field, SecretStr

from animals.cli import split_commas
from animals.config.settings import BucketSettings, ServerSettings
from animals.preprocess import MAX_PIXELS

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class BackendSettings(BucketSettings, ServerSettings):
    """What the backend reads from its environment."""

    secret: SecretStr | None = None
    """Key that signs prediction ids. Without one a random key is made at start, so ids end with the process."""
    secret_name: str | None = None
    """Where Secret Manager keeps that key, if it is not set: projects/PROJECT/secrets/NAME/versions/latest."""
    token_days: Annotated[float, Field(gt=0, le=3650)] = 30.0
    """How long feedback on a prediction is accepted."""
    max_upload_bytes: Count = 20_000_000
    """Largest request that is read."""
    max_pixels: Count = MAX_PIXELS
    """Largest picture, width times height, that is decoded."""
    max_uploads_bytes: Count = 100_000_000
    """Of all requests together that have no response yet."""
    upload_seconds: Seconds = 30.0
    """How long a request's body may take to arrive."""
    deadline_seconds: Seconds = 0.9
    """How long a picture may wait in the queue; if it would be longer, the response is 503 at once."""
    api_keys: SecretStr | None = None
    """Keys, separated by commas; a request must send one as X-API-Key. By default no key is needed."""
    rate_limit: str | None = None
    """How many requests one client may send, such as 60/minute, to each instance. By default there is no limit."""
    cors_origins: str | None = None
    """Web pages, separated by commas, whose scripts may send requests, such as https://example.org; * for all."""
    reload_seconds: Seconds = 5.0
    """Time between two checks for a newly promoted model."""
    predictions_batch: Count = 500
    """Entries of the prediction log that make one object in the bucket."""
    predictions_seconds: Seconds = 30.0
    """Time after which fewer entries are stored too."""
    predictions_bytes: Annotated[int, Field(ge=0)] = 8_000_000
    """Memory for entries that are not stored yet; beyond it the oldest are dropped. 0 turns the log off."""
    project: Annotated[str | None, Field(validation_alias="GOOGLE_CLOUD_PROJECT")] = None
    """The Google Cloud project, so that log lines are found by their trace."""

    @property
    def keys(self) -> frozenset[str]:
        """API keys; empty if no key is needed."""
        return frozenset(split_commas(self.api_keys.get_secret_value() if self.api_keys else ""))

    @property
    def origins(self) -> list[str]:
        """Web pages whose scripts may send requests."""
        return split_commas(self.cors_origins or "")
