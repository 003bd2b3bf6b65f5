"""Settings of the report function, taken from environment variables."""

from typing import Annotated, Final

from pydantic import Field

from animals.config.settings import BucketSettings, ServerSettings


class ReportSettings(BucketSettings, ServerSettings):
    """Settings of the report function; an empty variable counts as not set."""

    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8082
    """Port to listen on; 0 takes any free one."""


MAX_REPORTS: Final = 6
"""Reports made or waited for at a time; with more, no thread would be left for other requests."""
