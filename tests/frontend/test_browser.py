"""The page in a browser, with the real backend."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from playwright.sync_api import Browser, FilePayload, JSHandle, Page, expect

from animals.prediction_records import Feedback
from animals.storage import FolderStorage
from tests.support.browser import TIMEOUT, chromium
from tests.support.emulator import free_port
from tests.support.feedback import stored
from tests.support.process import FRONTEND, Process, running
from tests.support.published import KEY, colour_model, plain, publish


class Services:
    """A bucket with a model of three colours, the backend, and the page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._backends = 0
        self._port = str(free_port())
        self.bucket = FolderStorage(folder / "bucket")
        publish(self.bucket, model=colour_model(scale=3.0))

    def __enter__(self) -> Self:
        self.backend = self.start_backend()
        self.page = self._start("page", *FRONTEND, ANIMALS_BACKEND=self.backend.url, ANIMALS_MAINTAINER="1")
        self.page.wait_for(r"URL: (\S+)")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_backend(self) -> Process:
        self._backends += 1
        settings = {"ANIMALS_BUCKET": self.bucket.url, "ANIMALS_SECRET": KEY, "PORT": self._port}
        self.backend = self._start(f"backend{self._backends}", **settings)
        self.backend.wait_until_ready()
        return self.backend

    def _start(self, name: str, *command: str, **environment: str) -> Process:
        folder = self._folder / name
        folder.mkdir()
        return self._stack.enter_context(running(folder, *command, **environment))

    def feedback(self) -> list[Feedback]:
        return list(stored(self.bucket).values())

    def feedback_requests(self) -> int:
        metrics = httpx.get(f"{self.backend.url}/metrics").text
        match = re.search(r'animals_requests_total{route="/post_data",status="200"} (\d+)', metrics)
        return int(match[1]) if match else 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def services(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:  # noqa: ARG001 - skips
    with Services(tmp_path_factory.mktemp("services")) as started:
        yield started


@contextmanager
def visit(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    visitor = browser.new_context(**context)
    visitor.set_default_timeout(TIMEOUT)
    page = visitor.new_page()
    page.goto(url)
    yield page
    visitor.close()


@pytest.fixture
def page(browser: Browser, services: Services) -> Iterator[Page]:
    with visit(browser, services.page.url) as opened:
        yield opened


@pytest.fixture
def new_feedback(services: Services) -> Callable[[], list[Feedback]]:
    """Returns the feedback records that a test has added to the bucket."""
    before = services.feedback()
    return lambda: [record for record in services.feedback() if record not in before]


def upload(page: Page, colour: str, name: str = "") -> None:
    upload_file(page, name or f"{colour}.png", plain(colour))


def upload_file(page: Page, name: str, content: bytes) -> None:
    file: FilePayload = {"name": name, "mimeType": "image/png", "buffer": content}
    page.get_by_test_id("stFileUploader").locator('input[type="file"]').set_input_files(file)


def expect_text(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def expect_headings(page: Page, *names: str) -> None:
    for name in names:
        expect(page.get_by_role("heading", name=name)).to_be_visible()


def click(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def test_a_picture_is_classified_and_yes_is_stored_once(
    page: Page, services: Services, new_feedback: Callable[[], list[Feedback]]
) -> None:
    sent = services.feedback_requests()
    expect_text(page, "The model recognises: red, green, blue.")
    expect(page.get_by_test_id("stImage")).to_have_count(0)  # the examples are animals
    upload(page, "lime")
    expect_headings(page, "Green")
    expect_text(page, "Version r1 responded in")
    expect_text(page, "lime.png")
    page.get_by_role("button", name="Yes", exact=True).dblclick()
    expect_text(page, "Your feedback green is stored. The picture is not stored.")
    [record] = new_feedback()
    assert (record.label, record.prediction, record.version, record.picture) == ("green", "green", "r1", None)
    assert services.feedback_requests() == sent + 1


@pytest.fixture
def transfer(page: Page) -> JSHandle:
    """The data of a clipboard or a drag with two pictures."""
    expect_text(page, "Upload a picture")
    page.wait_for_timeout(500)  # the listener for pasting is added with the page, without a visible sign
    return page.evaluate_handle(
        """contents => {
            const transfer = new DataTransfer()
            contents.forEach((content, index) =>
                transfer.items.add(new File([new Uint8Array(content)], `file${index}.png`, { type: "image/png" })))
            return transfer
        }""",
        [list(plain("lime")), list(plain("blue"))],
    )


def test_pasted_pictures_are_classified_once_each(page: Page, transfer: JSHandle) -> None:
    page.evaluate(
        "data => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: data, cancelable: true}))",
        transfer,
    )
    expect_headings(page, "Green", "Blue")
    expect(page.get_by_role("button", name="Remove file0.png")).to_have_count(1)


def test_dropped_pictures_are_classified(page: Page, transfer: JSHandle) -> None:
    page.get_by_test_id("stFileUploaderDropzone").dispatch_event("drop", {"dataTransfer": transfer})
    expect_headings(page, "Green", "Blue")


def test_a_photo_from_the_camera_is_classified(browser: Browser, services: Services) -> None:
    with visit(browser, services.page.url, permissions=["camera"]) as page:
        page.get_by_text("Take a picture with the camera").click()
        page.wait_for_function("document.querySelector('video')?.videoWidth > 0")  # before, the button has no effect
        click(page, "Take Photo")
        expect_text(page, "camera.jpg")
        expect_text(page, "Version r1 responded in")


def test_a_file_name_is_shown_as_text(page: Page) -> None:
    name = "<img src=x onerror=alert(1)> [a](http://b) :red[c].png"
    upload(page, "lime", name=name)
    expect_text(page, name)
    assert page.locator('[data-testid="stMain"] a[href="http://b"]').count() == 0


def test_after_the_backend_is_restarted_try_again_succeeds(
    page: Page, services: Services, new_feedback: Callable[[], list[Feedback]]
) -> None:
    upload(page, "lime")
    expect_text(page, "Is this correct?")
    services.backend.popen.kill()
    services.backend.popen.wait()
    click(page, "Yes")
    expect_text(page, "Your feedback is not stored.")
    expect_text(page, "The model cannot be reached")
    upload(page, "blue")
    expect_text(page, "The model cannot be reached")
    assert "Traceback" not in page.content()
    services.start_backend()
    page.get_by_role("button", name="Try again").last.click()
    expect_headings(page, "Blue")
    expect_text(page, "Your feedback is not stored.")
    expect(page.get_by_role("button", name="Try again")).to_have_count(1)  # the one of the feedback
    click(page, "Try again")
    expect_text(page, "Your feedback green is stored.")
    assert [record.label for record in new_feedback()] == ["green"]


def test_the_browser_sends_requests_to_the_page_only(browser: Browser, services: Services) -> None:
    requested: list[str] = []
    with visit(browser, services.page.url) as page:
        page.on("request", lambda request: requested.append(request.url))
        page.reload()
        upload(page, "lime")
        expect_text(page, "Is this correct?")
    assert requested
    assert [url for url in requested if not url.startswith((services.page.url, "data:", "blob:"))] == []


def test_it_fits_a_phone(browser: Browser, services: Services) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    with visit(browser, services.page.url, **phone) as page:
        upload(page, "lime")
        expect_text(page, "Is this correct?")
        page.wait_for_timeout(500)  # until the chart is drawn
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
        for name in ("Yes", "No"):
            box = page.get_by_role("button", name=name, exact=True).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= 360
        click(page, "Yes")
        expect_text(page, "Your feedback green is stored.")


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_follows_the_visitors_colour_scheme(browser: Browser, services: Services, scheme: Any, dark: bool) -> None:
    with visit(browser, services.page.url, color_scheme=scheme) as page:
        expect_text(page, "Upload a picture")
        colour = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
        assert (int(re.findall(r"\d+", colour)[0]) < 60) == dark


def test_the_maintainers_page_shows_version_and_metrics_without_a_report_function(
    browser: Browser, services: Services
) -> None:
    with visit(browser, f"{services.page.url}/maintainer") as page:
        expect_text(page, "Model health")
        for text in ("r1", "p95", "The report function cannot be reached"):
            expect_text(page, text)


def test_visitors_do_not_see_the_maintainers_page(browser: Browser, services: Services, tmp_path: Path) -> None:
    with (
        running(tmp_path, *FRONTEND, ANIMALS_BACKEND=services.backend.url) as without,
        visit(browser, f"{without.url}/maintainer") as page,
    ):
        expect_text(page, "The model recognises")
        assert page.get_by_text("Model health").count() == 0
