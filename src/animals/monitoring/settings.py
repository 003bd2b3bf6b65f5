"""Settings of the report function, taken from environment variables."""

from typing import Annotated, Final

from pydantic import Field

from animals.config.settings import BucketSettings, ServerSettings


class ReportSettings(BucketSettings, ServerSettings):
    """What the report function reads from its environment; a variable that is set to nothing counts as not set."""

    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8082
    """Port to listen on; 0 takes any free one."""


AT_ONCE: Final = 6
"""Reports that are made or waited for at a time; further requests would leave none to look at what is there already."""
