"""From the settings to the services that the page asks."""

from functools import cache
from typing import Final

import requests

from animals.frontend.backend_client import Backend
from animals.frontend.cloud import find_service, identified_session
from animals.frontend.http_client import Service
from animals.frontend.report_client import Reports
from animals.frontend.settings import PageSettings

LOCAL_BACKEND: Final = "http://127.0.0.1:8080"

_KEY_HEADER: Final = "X-API-Key"


def backend_address(settings: PageSettings) -> str:
    """URL of the backend; errors as for `backend`."""
    if settings.backend:
        return str(settings.backend)
    return find_service(settings.backend_service) if settings.in_cloud else LOCAL_BACKEND


@cache
def backend(settings: PageSettings) -> Backend:
    """The backend: the same for all visitors, so that connections are kept.

    Raises:
        ConfigError: it cannot be found on Cloud Run.
        ServiceError: Google does not answer.
    """
    address = backend_address(settings)
    session = _session(settings, address)
    if settings.api_key:
        session.headers[_KEY_HEADER] = settings.api_key.get_secret_value()
    return Backend(Service("The model", address, session))


@cache
def reports(settings: PageSettings) -> Reports:
    """The report function; errors as for `backend`."""
    address = str(settings.report)
    return Reports(Service("The report function", address, _session(settings, address)))


def _session(settings: PageSettings, address: str) -> requests.Session:
    if settings.in_cloud:
        return identified_session(address.rstrip("/"))
    session = requests.Session()
    session.trust_env = False  # no proxy, and no password from .netrc, for a service beside this one
    return session
