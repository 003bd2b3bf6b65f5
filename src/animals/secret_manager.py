"""Secrets from Google's Secret Manager, by REST: its client library takes 20 MB, for one request."""

import base64
import re
from typing import Final

from animals.errors import ConfigError

URL: Final = "https://secretmanager.googleapis.com/v1"

TIMEOUT: Final = 20.0
"""Timeout of the request in seconds."""

_NAME: Final = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[^/\s]+")


def read_secret(name: str, *, variable: str) -> str:
    """Read the text of a secret, without surrounding white space.

    Args:
        name: projects/PROJECT/secrets/NAME/versions/latest, or another version.
        variable: environment variable with the name, for error messages.

    Raises:
        ConfigError: the name is invalid, or the secret cannot be read.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{variable}={name} is not the name of a secret; expected projects/PROJECT/secrets/NAME/versions/latest."
        )
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        response = session.get(f"{URL}/{name}:access", timeout=TIMEOUT)
        response.raise_for_status()
        text = base64.b64decode(response.json()["payload"]["data"]).decode().strip()
    except (GoogleAuthError, RequestException, LookupError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The secret {name} could not be read from Secret Manager: {error}. "
            "Give the service account the role Secret Manager Secret Accessor on it."
        ) from error
    if not text:
        raise ConfigError(f"The secret {name} in Secret Manager is empty. Add a version with a value.")
    return text
