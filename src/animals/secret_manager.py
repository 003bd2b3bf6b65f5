"""A secret out of Google's Secret Manager, by plain REST: its client library would weigh 20 MB for one request."""

import base64
import re
from typing import Final

from animals.errors import ConfigError

URL: Final = "https://secretmanager.googleapis.com/v1"

TIMEOUT: Final = 20.0
"""Seconds for the request, at the start of a service."""

_NAME: Final = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[^/\s]+")


def read_secret(name: str, *, variable: str) -> str:
    """The text of a secret, without white space around it.

    Args:
        name: projects/PROJECT/secrets/NAME/versions/latest, or another version.
        variable: of the environment, that gave the name.

    Raises:
        ConfigError: the name is none, or there is no such secret that we may read.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{variable}={name} is no secret; expected projects/PROJECT/secrets/NAME/versions/latest.")
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import AuthorizedSession
    from requests import RequestException

    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]
        answer = session.get(f"{URL}/{name}:access", timeout=TIMEOUT)
        answer.raise_for_status()
        text = base64.b64decode(answer.json()["payload"]["data"]).decode().strip()
    except (GoogleAuthError, RequestException, LookupError, TypeError, ValueError) as error:
        raise ConfigError(
            f"The secret {name} could not be read from Secret Manager: {error}. "
            "Give the service account the role Secret Manager Secret Accessor on it."
        ) from error
    if not text:
        raise ConfigError(f"The secret {name} in Secret Manager is empty. Add a version that is not.")
    return text
