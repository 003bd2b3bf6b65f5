"""Events at GitHub (`repository_dispatch`), which start a workflow."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from animals.errors import ConfigError, RequestRefused, ServiceError

API: Final = "https://api.github.com"

SECONDS: Final = 30.0
"""Timeout of a request."""

_URL: Final = re.compile(r"github://([\w-]+/(?!\.{1,2}$)[\w.-]+)")

Dispatch = Callable[[str, Mapping[str, Any]], None]
"""Function that sends an event of this type with this payload, which has at most ten keys.

Raises:
    RequestRefused: GitHub rejects the request; a retry will not help.
    ServiceError: GitHub cannot be reached; a retry may succeed.
"""


def repository_of(url: str) -> str | None:
    """Return OWNER/REPOSITORY of github://OWNER/REPOSITORY; None for anything else."""
    match = _URL.fullmatch(url)
    return match[1] if match else None


def open_dispatch(repository: str, token: str | None, *, api: str = API) -> Dispatch:
    """Return the function that sends events to a repository.

    Args:
        repository: OWNER/REPOSITORY.
        token: token that may write the repository's contents.
        api: URL of the API, another one for GitHub Enterprise.

    Raises:
        ConfigError: there is no token, or it is invalid.
    """
    token = (token or "").strip()
    if not token:
        raise ConfigError(f"An event for {repository} at GitHub needs a token in GITHUB_TOKEN.")
    if not re.fullmatch(r"[!-~]+", token):  # the library's own error would contain it
        raise ConfigError("GITHUB_TOKEN contains spaces or other characters that are not allowed in a token.")
    url = f"{api.rstrip('/')}/repos/{repository}/dispatches"
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    def send(event: str, payload: Mapping[str, Any]) -> None:
        import requests

        def authorized(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            prepared.headers["Authorization"] = f"Bearer {token}"  # a .netrc would replace a header
            return prepared

        try:
            response = requests.post(
                url,
                json={"event_type": event, "client_payload": payload},
                headers=headers,
                auth=authorized,
                timeout=SECONDS,
                allow_redirects=False,  # the token must not go to another host
            )
        except requests.RequestException as error:
            raise ServiceError(f"{url} cannot be reached: {error}") from error
        if response.status_code >= 500:
            raise ServiceError(f"{url} responds {response.status_code} {response.reason}. Try again later.")
        if response.status_code != 204:
            raise RequestRefused(
                f"{url} responds {response.status_code} {response.reason}. The repository must exist under this name, "
                "and the token in GITHUB_TOKEN must be allowed to write its contents."
            )

    return send
