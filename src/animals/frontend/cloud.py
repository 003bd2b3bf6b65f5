"""What is different on Cloud Run: the backend is found by its name, and wants to know who asks."""

import os
from http import HTTPStatus
from typing import Final

import google.auth
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request
from google.oauth2.id_token import fetch_id_token_credentials

from animals.errors import ConfigError, ServiceError

RUN_API: Final = "https://run.googleapis.com"

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_METADATA: Final = "metadata.google.internal"
_SECONDS: Final = 10.0


def find_service(name: str, api: str = RUN_API) -> str:
    """The URL of a Cloud Run service in the project and region of this one.

    Args:
        name: of the service.
        api: URL of the Cloud Run Admin API.

    Raises:
        ConfigError: there is none, or this service's account may not look.
        ServiceError: Google does not answer.
    """
    try:
        place = _place()
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        found = _session(credentials).get(f"{api}/v2/{place}/services/{name}", timeout=_SECONDS)
    except (requests.RequestException, GoogleAuthError) as error:
        raise ServiceError(
            f"Cloud Run cannot be asked where the service {name} is ({error}). Try again in a few seconds."
        ) from error
    if found.status_code != HTTPStatus.OK:
        raise ConfigError(
            f"Cloud Run does not say where the service {name} is in {place} (HTTP status {found.status_code}). "
            "Name the backend's service in ANIMALS_BACKEND_SERVICE and let this one's account see it "
            "(roles/run.viewer), or set ANIMALS_BACKEND to its URL."
        )
    try:
        return str(found.json()["uri"])
    except (ValueError, LookupError, TypeError) as error:  # it is being made, or something else answers there
        raise ServiceError(
            f"Cloud Run has no address for the service {name} yet. Try again in a few seconds."
        ) from error


def identified_session(address: str) -> requests.Session:
    """A session whose requests say which account this service runs as; a new token is had when one expires.

    Args:
        address: URL of the service that is asked, which alone accepts the token.

    Raises:
        ServiceError: the platform gives no tokens.
    """
    try:
        return _session(fetch_id_token_credentials(address, Request()))  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise ServiceError(f"Google gives no identity token for {address} ({error}). Try again.") from error


def _session(credentials: object) -> requests.Session:
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # google-auth has half of its type hints


def _place() -> str:
    """Project and region as the Cloud Run API names them."""
    host = os.environ.get("GCE_METADATA_HOST", _METADATA)  # as google-auth has it
    answer = requests.get(
        f"http://{host}/computeMetadata/v1/instance/region", headers={"Metadata-Flavor": "Google"}, timeout=_SECONDS
    )
    answer.raise_for_status()
    return answer.text.strip().replace("/regions/", "/locations/")
