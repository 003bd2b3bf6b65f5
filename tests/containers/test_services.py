"""The services in their images, as they are deployed: one CPU, 1 GiB, nothing to write to but the bucket."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.containers.conftest import Build, PublishedModel
from tests.containers.tool import Container, Tool
from tests.support.browser import TIMEOUT, chromium
from tests.support.emulator import free_port

HEALTH = {"api": "/healthz", "frontend": "/_stcore/health", "report": "/healthz"}


class Services:
    """Backend, page and report function, each in its container."""

    def __init__(self, tool: Tool, image: Build, model: PublishedModel) -> None:
        self._tool, self._image, self._circle = tool, image, model
        self._stack = ExitStack()
        self.ports = {name: free_port() for name in HEALTH}
        self.containers: dict[str, Container] = {}

    def __enter__(self) -> "Services":
        for name in HEALTH:
            self._image(name)  # all are built before the first one has to wait
        self._start("api", "ANIMALS_SECRET=for-tests", "ANIMALS_PREDICTIONS_SECONDS=0.5")
        self._start("report")
        self._start("frontend", f"ANIMALS_BACKEND={self.url('api')}", f"ANIMALS_REPORT={self.url('report')}")
        self.containers["api"].wait_until_it_answers(f"{self.url('api')}/readyz")
        for name, path in HEALTH.items():
            self.containers[name].wait_until_it_answers(f"{self.url(name)}{path}")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, name: str, *more: str) -> None:
        environment = [word for pair in (*more, f"PORT={self.ports[name]}") for word in ("--env", pair)]
        options = [*self._circle.options, *environment]
        self.containers[name] = self._stack.enter_context(self._tool.running(self._image(name), *options))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"


@pytest.fixture(scope="module")
def services(tool: Tool, image: Build, model: PublishedModel) -> Iterator[Services]:
    with Services(tool, image, model) as started:
        yield started


def a_picture(model: PublishedModel, label: str) -> Path:
    return sorted((model.pictures / label).glob("*.jpg"))[0]


def test_predictions_and_feedback_are_in_the_report(services: Services, model: PublishedModel) -> None:
    backend, report = services.url("api"), f"{services.url('report')}/generate_performance_report"
    pictures = sorted(model.pictures.glob("*/*.jpg"))
    with httpx.Client(base_url=backend, timeout=30) as client:
        for picture in pictures:  # as many as it takes for a whole report
            answer = client.post("/classify/", files={"file": picture.read_bytes()}).raise_for_status().json()
            assert (answer["prediction"], answer["model_version"]) == (picture.parent.name, model.version)
            judged = {"x": picture.parent.name, "prediction_id": answer["prediction_id"]}
            client.post("/post_data/", json=judged).raise_for_status()

    deadline = time.monotonic() + 60
    while _records(report) < len(pictures):
        assert time.monotonic() < deadline, services.containers["report"].log()
        time.sleep(0.5)
    pages = zipfile.ZipFile(io.BytesIO(httpx.get(report, timeout=300).raise_for_status().content))
    summary = json.loads(pages.read("summary.json"))
    assert (summary["version"], summary["feedback"]["right"]) == (model.version, len(pictures))
    evidently = [name for name in pages.namelist() if name.endswith(".html") and name != "index.html"]
    assert len(evidently) == 2
    assert all(len(pages.read(name)) > 1_000_000 for name in evidently)  # the code of the plots is inside
    for service in ("api", "report"):
        assert "animals_" in httpx.get(f"{services.url(service)}/metrics").raise_for_status().text
    assert "swagger" in httpx.get(f"{backend}/docs").text


def _records(report: str) -> int:
    found: int = httpx.get(f"{report}?format=json", timeout=120).json()["predictions"]["records"]
    return found


def test_the_page_shows_the_backends_answer(services: Services, model: PublishedModel) -> None:
    with chromium() as browser:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.goto(services.url("frontend"))
        page.get_by_test_id("stFileUploader").locator('input[type="file"]').set_input_files(a_picture(model, "green"))
        expect(page.get_by_role("heading", name="Green")).to_be_visible()
        assert page.get_by_test_id("stException").count() == 0


@pytest.mark.parametrize("name", HEALTH)
def test_a_service_is_healthy_and_stops_in_time(name: str, services: Services) -> None:
    container = services.containers[name]
    container.wait_until_healthy()
    code, seconds = container.end()
    assert code == 0, container.log()
    assert seconds < 9, container.log()
    assert "Traceback" not in container.log()
