"""Settings of the web page, from environment variables like those of the other services."""

from typing import Annotated

from pydantic import AnyHttpUrl, Field, SecretStr

from animals.config.settings import ServerSettings


class PageSettings(ServerSettings):
    """Settings of the page."""

    backend: AnyHttpUrl | None = None
    """URL of the backend. By default http://127.0.0.1:8080; on Cloud Run that of `backend_service`."""
    backend_service: str = "animals-backend"
    """Name of the backend's service on Cloud Run, in the same project and region."""
    report: AnyHttpUrl = AnyHttpUrl("http://127.0.0.1:8082")
    """URL of the report function."""
    api_key: SecretStr | None = None
    """Key for a backend that requires one."""
    maintainer: bool = False
    """1 shows the maintainer's page too, to all visitors."""
    max_upload_bytes: Annotated[int, Field(ge=1)] = 20_000_000
    """Largest request that the backend accepts."""
    port: Annotated[int, Field(ge=0, le=65535, validation_alias="PORT")] = 8501
    """Port to listen on; 0 takes any free one."""
