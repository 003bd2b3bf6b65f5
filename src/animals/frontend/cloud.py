"""Access to other services on Cloud Run: find one by its name, and send identity tokens to it."""

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
_METADATA_SERVER: Final = "metadata.google.internal"
_SECONDS: Final = 10.0


def find_service(name: str, api: str = RUN_API) -> str:
    """Return the URL of a Cloud Run service in the project and region of this one.

    Raises:
        ConfigError: there is no such service, or this service's account has no permission to see it.
        ServiceError: Google does not respond.
    """
    try:
        location = _read_location()
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        response = _authorize(credentials).get(f"{api}/v2/{location}/services/{name}", timeout=_SECONDS)
    except (requests.RequestException, GoogleAuthError) as error:
        raise ServiceError(
            f"Cloud Run does not return the URL of the service {name} ({error}). Try again in a few seconds."
        ) from error
    if response.status_code != HTTPStatus.OK:
        raise ConfigError(
            f"Cloud Run does not return the URL of the service {name} in {location} "
            f"(HTTP status {response.status_code}). "
            "Set ANIMALS_BACKEND_SERVICE to the name of the backend's service and grant this service's account "
            "roles/run.viewer on it, or set ANIMALS_BACKEND to its URL."
        )
    try:
        return str(response.json()["uri"])
    except (ValueError, LookupError, TypeError) as error:  # the service is being created, or this is no Cloud Run API
        raise ServiceError(f"The service {name} has no URL yet. Try again in a few seconds.") from error


def authorized_session(address: str) -> requests.Session:
    """Return a session that sends an identity token of this service's account, and renews it when it expires.

    Only the service at this address accepts the token.
    """
    try:
        return _authorize(fetch_id_token_credentials(address, Request()))  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        raise ServiceError(f"Google returns no identity token for {address} ({error}). Try again.") from error


def _authorize(credentials: object) -> requests.Session:
    return AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # google-auth has half of its type hints


def _read_location() -> str:
    """Return project and region of this service, as the Cloud Run API names them."""
    host = os.environ.get("GCE_METADATA_HOST", _METADATA_SERVER)  # the variable is google-auth's
    url = f"http://{host}/computeMetadata/v1/instance/region"
    response = requests.get(url, headers={"Metadata-Flavor": "Google"}, timeout=_SECONDS)
    response.raise_for_status()
    return response.text.strip().replace("/regions/", "/locations/")
