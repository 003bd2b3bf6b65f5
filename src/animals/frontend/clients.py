"""Clients of the backend and of the report function, made from the settings."""

import base64
from functools import cache
from typing import Final

import requests

from animals.api import FeedbackRequest, FeedbackResponse, ModelInfo, Prediction, Summary
from animals.frontend.cloud import authorized_session, find_service
from animals.frontend.http_client import HttpClient
from animals.frontend.settings import PageSettings

LOCAL_BACKEND: Final = "http://127.0.0.1:8080"

BACKEND_SECONDS: Final = 30.0
"""Time limit of a request to the backend; an instance that starts for it takes half of that."""

REPORT_SECONDS: Final = 300.0
"""Time limit of a report: the first one after a long time reads all records since then."""

_REPORT_PATH: Final = "/generate_performance_report"


class Backend:
    """Client of the backend; its methods raise the errors of `HttpClient.request_model`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def model(self) -> ModelInfo:
        """Return the served version."""
        return self._http.request_model(ModelInfo, "GET", "/model", timeout=BACKEND_SECONDS)

    def classify(self, name: str, data: bytes) -> Prediction:
        """Classify a picture, given the name and the content of its file."""
        files = {"file": (name, data)}
        return self._http.request_model(Prediction, "POST", "/classify/", timeout=BACKEND_SECONDS, files=files)

    def submit_feedback(self, prediction_id: str, label: str, picture: bytes | None) -> FeedbackResponse:
        """Send the correct label of a prediction, with the picture's file if it may be stored for training."""
        encoded = None if picture is None else base64.b64encode(picture).decode()
        body = FeedbackRequest(x=label, prediction_id=prediction_id, picture=encoded).model_dump(exclude_none=True)
        return self._http.request_model(FeedbackResponse, "POST", "/post_data/", timeout=BACKEND_SECONDS, json=body)

    def metrics(self) -> str:
        """Return the backend's metrics in Prometheus's text format."""
        return self._http.request("GET", "/metrics", timeout=BACKEND_SECONDS).text


class ReportFunction:
    """Client of the report function; its methods raise the errors of `HttpClient.request_model`."""

    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def summary(self, days: int) -> Summary:
        """Return the figures of the report on the last days."""
        query = {"format": "json", "days": str(days)}
        return self._http.request_model(Summary, "GET", _REPORT_PATH, timeout=REPORT_SECONDS, params=query)

    def archive(self, days: int) -> bytes:
        """Return the report on the last days, a zip file."""
        query = {"days": str(days)}
        return self._http.request("GET", _REPORT_PATH, timeout=REPORT_SECONDS, params=query).content


@cache
def connect_backend(settings: PageSettings) -> Backend:
    """Return the backend's client, one for all visitors so that connections are reused."""
    address = backend_address(settings)
    session = _open_session(settings, address)
    if settings.api_key:
        session.headers["X-API-Key"] = settings.api_key.get_secret_value()
    return Backend(HttpClient("The model", address, session))


@cache
def connect_report_function(settings: PageSettings) -> ReportFunction:
    """Return the report function's client, one for all visitors."""
    address = str(settings.report)
    return ReportFunction(HttpClient("The report function", address, _open_session(settings, address)))


def backend_address(settings: PageSettings) -> str:
    """Return the backend's URL; on Cloud Run it is found by the name of the service."""
    if settings.backend:
        return str(settings.backend)
    return find_service(settings.backend_service) if settings.in_cloud else LOCAL_BACKEND


def local_session() -> requests.Session:
    """Return a session for services of this machine, without the proxy and passwords of the environment."""
    session = requests.Session()
    session.trust_env = False
    return session


def _open_session(settings: PageSettings, address: str) -> requests.Session:
    return authorized_session(address.rstrip("/")) if settings.in_cloud else local_session()
