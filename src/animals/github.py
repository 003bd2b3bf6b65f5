"""An event at GitHub, `repository_dispatch`, which a workflow waits for."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from animals.errors import ConfigError, RequestRefused, ServiceError

API: Final = "https://api.github.com"

SECONDS: Final = 30.0
"""For one request."""

_PLACE: Final = re.compile(r"github://([\w-]+/(?!\.{1,2}$)[\w.-]+)")

Dispatch = Callable[[str, Mapping[str, Any]], None]
"""Sends an event of this type with this payload, which has ten keys at most.

Raises:
    ServiceError: GitHub is away; the same may succeed later.
    RequestRefused: it was not taken, and will not be.
"""


def repository_of(place: str) -> str | None:
    """OWNER/REPOSITORY out of github://OWNER/REPOSITORY; None for anything else."""
    found = _PLACE.fullmatch(place)
    return found[1] if found else None


def open_dispatch(repository: str, token: str | None, *, api: str = API) -> Dispatch:
    """How to send events to a repository.

    Args:
        repository: OWNER/REPOSITORY.
        token: with the right to write the repository's contents.
        api: another one for GitHub Enterprise.

    Raises:
        ConfigError: there is no token, or it can be none.
    """
    token = (token or "").strip()
    if not token:
        raise ConfigError(f"An event for {repository} at GitHub needs a token in GITHUB_TOKEN.")
    if not re.fullmatch(r"[!-~]+", token):  # the library's own message would show it
        raise ConfigError("GITHUB_TOKEN holds spaces or other characters that no token has.")
    url = f"{api.rstrip('/')}/repos/{repository}/dispatches"
    headers = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

    def send(event: str, payload: Mapping[str, Any]) -> None:
        import requests

        def authorized(prepared: requests.PreparedRequest) -> requests.PreparedRequest:
            prepared.headers["Authorization"] = f"Bearer {token}"  # as a header, a .netrc would replace it
            return prepared

        try:
            answer = requests.post(
                url,
                json={"event_type": event, "client_payload": payload},
                headers=headers,
                auth=authorized,
                timeout=SECONDS,
                allow_redirects=False,  # the token goes to nobody else
            )
        except requests.RequestException as error:
            raise ServiceError(f"{url} cannot be reached: {error}") from error
        if answer.status_code >= 500:
            raise ServiceError(f"{url} answers {answer.status_code} {answer.reason}. Try again later.")
        if answer.status_code != 204:
            raise RequestRefused(
                f"{url} answers {answer.status_code} {answer.reason}. The repository must be there under this name, "
                "and the token in GITHUB_TOKEN must be allowed to write its contents."
            )

    return send
