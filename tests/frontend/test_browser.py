"""The page in a browser, with the real backend behind it, as a person uses both."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from playwright.sync_api import Browser, FilePayload, JSHandle, Page, expect

from animals.preprocess import open_picture
from animals.records import Feedback
from animals.storage import FolderStorage
from tests.frontend.test_start import FRONTEND
from tests.support.browser import PATIENCE, chromium, chromium_or_skip
from tests.support.process import Process, running
from tests.support.published import KEY, colour_model, plain, publish


class World:
    """A bucket with a model that knows three colours, the backend, and the page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._backends = 0
        self.bucket = FolderStorage(folder / "bucket")
        publish(self.bucket, model=colour_model(scale=3.0))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])

    def __enter__(self) -> Self:
        self.backend = self.start_backend()
        self.page = self._start("page", *FRONTEND, ANIMALS_BACKEND=self.backend.url, ANIMALS_MAINTAINER="1")
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start_backend(self) -> Process:
        """At the same address each time."""
        self._backends += 1
        settings = {"ANIMALS_BUCKET": self.bucket.url, "ANIMALS_SECRET": KEY, "PORT": self._port}
        self.backend = self._start(f"backend{self._backends}", **settings)
        self.backend.wait_until_ready()
        return self.backend

    def _start(self, name: str, *command: str, **environment: str) -> Process:
        folder = self._folder / name
        folder.mkdir()
        return self._stack.enter_context(running(folder, *command, **environment))

    def judgements(self) -> list[Feedback]:
        """All that are stored."""
        names = [name for name in self.bucket.names("feedback/") if name.endswith(".json")]
        return [Feedback.model_validate_json(self.bucket.read(name).data) for name in names]

    def sent(self) -> int:
        """Judgements that the backend took."""
        counted = re.search(r'animals_requests_total{route="/post_data",status="200"} (\d+)', self.metrics())
        return int(counted[1]) if counted else 0

    def metrics(self) -> str:
        return httpx.get(f"{self.backend.url}/metrics").text


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium_or_skip()
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    chromium_or_skip()
    with World(tmp_path_factory.mktemp("world")) as started:
        started.page.wait_for(r"URL: (\S+)")
        yield started


@pytest.fixture
def page(browser: Browser, world: World) -> Iterator[Page]:
    """A visitor of their own."""
    with visit(browser, world) as visitor:
        yield visitor


class visit:  # noqa: N801 - used like a function
    """A visitor, on the page."""

    def __init__(self, browser: Browser, world: World, path: str = "", **context: Any) -> None:
        self._context = browser.new_context(**context)
        self._context.set_default_timeout(PATIENCE)
        self._page = self._context.new_page()
        self._page.goto(f"{world.page.url}/{path}")

    def __enter__(self) -> Page:
        return self._page

    def __exit__(self, *_: object) -> None:
        self._context.close()


def upload(page: Page, colour: str, name: str = "") -> None:
    bring(page, name or f"{colour}.png", plain(colour))


def bring(page: Page, name: str, content: bytes) -> None:
    """Upload a file."""
    file: FilePayload = {"name": name, "mimeType": "image/png", "buffer": content}
    page.get_by_test_id("stFileUploader").locator('input[type="file"]').set_input_files(file)


def see(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible()


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).click()


def choose(page: Page, label: str) -> None:
    """One of the labels, after no."""
    page.get_by_test_id("stButtonGroup").get_by_text(label, exact=True).click()


def new(world: World, before: list[Feedback]) -> list[Feedback]:
    """Judgements that were not there before."""
    return [judgement for judgement in world.judgements() if judgement not in before]


def test_a_picture_is_answered_and_yes_is_stored_in_the_bucket(page: Page, world: World) -> None:
    before = world.judgements()
    see(page, "I tell red, green and blue apart.")
    upload(page, "lime")
    expect(page.get_by_role("heading", name="Green")).to_be_visible()
    see(page, "Version r1 answered in")
    see(page, "lime.png")
    press(page, "Yes")
    see(page, "Stored: you say green")
    see(page, "The picture is not stored.")
    (judgement,) = new(world, before)
    assert (judgement.label, judgement.prediction, judgement.version) == ("green", "green", "r1")
    assert judgement.picture is None


def test_no_with_the_right_label_and_the_picture_is_stored_in_the_bucket(page: Page, world: World) -> None:
    before = world.judgements()
    upload(page, "yellow")
    page.get_by_text("Keep the picture too").click()
    press(page, "No")
    choose(page, "blue")
    see(page, "Stored: you say blue")
    see(page, "The picture is stored too.")
    (judgement,) = new(world, before)
    assert judgement.label == "blue"
    assert judgement.prediction in ("red", "green")
    assert judgement.picture is not None
    assert open_picture(world.bucket.read(judgement.picture).data).size == (40, 30)


def test_a_double_click_is_stored_and_sent_once(page: Page, world: World) -> None:
    before, sent = world.judgements(), world.sent()
    upload(page, "blue")
    page.get_by_role("button", name="Yes", exact=True).dblclick()
    see(page, "Stored: you say blue")
    assert len(new(world, before)) == 1
    assert world.sent() == sent + 1


def test_a_changed_mind_takes_the_place_of_the_first_word(page: Page, world: World) -> None:
    before = world.judgements()
    upload(page, "red")
    press(page, "Yes")
    see(page, "Stored: you say red")
    press(page, "Change what I said")
    press(page, "No")
    choose(page, "green")
    see(page, "Stored: you say green")
    assert [judgement.label for judgement in new(world, before)] == ["green"]


def test_examples_of_other_labels_are_not_offered(page: Page) -> None:
    see(page, "Bring a picture")
    expect(page.get_by_test_id("stImage")).to_have_count(0)


@pytest.fixture
def carried(page: Page) -> JSHandle:
    """What a clipboard or a hand with two pictures holds."""
    see(page, "Bring a picture")
    page.wait_for_timeout(500)  # the listener for pasting comes with the page, without anything to see
    return page.evaluate_handle(
        """contents => {
            const carried = new DataTransfer()
            contents.forEach((content, place) =>
                carried.items.add(new File([new Uint8Array(content)], `carried${place}.png`, { type: "image/png" })))
            return carried
        }""",
        [list(plain("lime")), list(plain("blue"))],
    )


def test_pasted_pictures_are_answered_once_each(page: Page, carried: JSHandle) -> None:
    page.evaluate(
        "carried => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: carried, cancelable: true}))",
        carried,
    )
    expect(page.get_by_role("heading", name="Green")).to_be_visible()
    expect(page.get_by_role("heading", name="Blue")).to_be_visible()
    expect(page.get_by_role("button", name="Remove carried0.png")).to_have_count(1)


def test_dropped_pictures_are_answered(page: Page, carried: JSHandle) -> None:
    page.get_by_test_id("stFileUploaderDropzone").dispatch_event("drop", {"dataTransfer": carried})
    expect(page.get_by_role("heading", name="Green")).to_be_visible()
    expect(page.get_by_role("heading", name="Blue")).to_be_visible()


def test_a_picture_from_the_camera_is_answered(browser: Browser, world: World) -> None:
    with visit(browser, world, permissions=["camera"]) as page:
        page.get_by_text("Take a picture with the camera").click()
        page.wait_for_function("document.querySelector('video')?.videoWidth > 0")  # before, the button does nothing
        press(page, "Take Photo")
        see(page, "camera.jpg")
        see(page, "Version r1 answered in")


def test_what_is_no_picture_is_refused_in_the_backends_words(page: Page) -> None:
    bring(page, "hello.png", b"hello")
    see(page, "This is no picture")


def test_a_files_name_is_only_ever_text(page: Page) -> None:
    upload(page, "lime", name="<img src=x onerror=alert(1)> [a](http://b) :red[c].png")
    see(page, "<img src=x onerror=alert(1)> [a](http://b) :red[c].png")
    assert page.locator('[data-testid="stMain"] a[href="http://b"]').count() == 0


def test_a_backend_that_went_away_is_said_to_be_and_a_retry_finds_it_again(page: Page, world: World) -> None:
    before = world.judgements()
    upload(page, "lime")
    see(page, "Was that right?")
    world.backend.popen.kill()
    world.backend.popen.wait()
    press(page, "Yes")
    see(page, "Not stored.")
    see(page, "The model cannot be reached")
    upload(page, "blue")
    see(page, "The model cannot be reached")
    assert "Traceback" not in page.content()
    world.start_backend()
    page.get_by_role("button", name="Try again").last.click()
    expect(page.get_by_role("heading", name="Blue")).to_be_visible()
    see(page, "Not stored.")
    expect(page.get_by_role("button", name="Try again")).to_have_count(1)  # that of the answers is gone
    press(page, "Try again")
    see(page, "Stored: you say green")
    assert [judgement.label for judgement in new(world, before)] == ["green"]


def test_the_browser_is_sent_to_nobody_else(browser: Browser, world: World) -> None:
    asked: list[str] = []
    with visit(browser, world) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.reload()
        upload(page, "lime")
        see(page, "Was that right?")
    assert asked
    assert [url for url in asked if not url.startswith((world.page.url, "data:", "blob:"))] == []


def test_it_fits_a_phone(browser: Browser, world: World) -> None:
    with visit(browser, world, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True) as page:
        upload(page, "lime")
        see(page, "Was that right?")
        page.wait_for_timeout(500)  # until the chart is drawn
        assert page.evaluate("document.scrollingElement.scrollWidth") <= 360
        for name in ("Yes", "No"):
            box = page.get_by_role("button", name=name, exact=True).bounding_box()
            assert box is not None
            assert box["x"] + box["width"] <= 360
        press(page, "Yes")
        see(page, "Stored: you say green")


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_it_follows_the_visitors_light_or_dark(browser: Browser, world: World, scheme: Any, dark: bool) -> None:
    with visit(browser, world, color_scheme=scheme) as page:
        upload(page, "lime")
        see(page, "Was that right?")
        brightness = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
        red = int(re.findall(r"\d+", page.evaluate(brightness))[0])
        assert (red < 60) == dark


def test_the_maintainer_sees_version_and_traffic_and_that_no_report_is_to_be_had(
    browser: Browser, world: World
) -> None:
    with visit(browser, world, path="maintainer") as page:
        see(page, "How it does")
        see(page, "r1")
        see(page, "Answers")
        see(page, "The report function cannot be reached")


def test_the_maintainers_page_is_not_there_for_others(browser: Browser, world: World, tmp_path: Path) -> None:
    with running(tmp_path, *FRONTEND, ANIMALS_BACKEND=world.backend.url) as plain_page:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{plain_page.url}/maintainer")
        see(page, "I tell red, green and blue apart.")
        assert page.get_by_text("How it does").count() == 0
        context.close()
