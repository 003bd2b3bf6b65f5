"""Take screenshots of the page for the README: `python -m profiling.screenshots`, with Debian's Chromium.

Backend, page and report function run as usual, on a copy of the version that serves in `ANIMALS_BUCKET` [data/bucket].
They classify pictures like those of the sample, with a seed that no training uses, and every second answer gets correct
feedback. Only the dates are changed: predictions are spread over the last week, so that charts show days.
"""

import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from animals import registry
from animals.animals10 import ANIMALS10_FOLDERS
from animals.cli import exit_on_error
from animals.config.settings import BucketSettings, read_settings
from animals.data.sample.drawings import STYLES
from animals.data.sample.picture import Recipe, SamplePicture
from animals.prediction_records import Feedback, LoggedPrediction
from animals.records import Record
from animals.storage import FolderStorage, Storage, open_storage

R = TypeVar("R", bound=Record)

FIGURES: Final = Path(__file__).parents[1] / "reports/figures"
PICTURES: Final = 400
DAYS: Final = 7
RECIPE: Final = Recipe(8, STYLES)
DEADLINE: Final = 120.0
DRAWN: Final = 1500
"""Milliseconds to wait until everything is drawn."""
MARGIN: Final = 24
"""Pixels below the last element of a page."""


def main() -> None:
    """Take all screenshots."""
    with exit_on_error(), tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        bucket = FolderStorage(Path(folder) / "bucket")
        copy_version(open_storage(read_settings(BucketSettings).bucket), bucket)
        environment = {"ANIMALS_BUCKET": bucket.url, "ANIMALS_SECRET": "for pictures of the page"}
        soon = {"ANIMALS_PREDICTIONS_SECONDS": "0.2", "ANIMALS_DEADLINE_SECONDS": "60"}
        backend = stack.enter_context(serving("animals.serving", "/readyz", environment | soon))
        send_traffic(backend)
        spread_over_days(bucket)
        report = stack.enter_context(serving("animals.monitoring", "/robots.txt", environment))
        addresses = {"ANIMALS_BACKEND": backend, "ANIMALS_REPORT": report, "ANIMALS_MAINTAINER": "1"}
        page = stack.enter_context(serving("animals.frontend", "/_stcore/health", addresses))
        expect.set_options(timeout=DEADLINE * 1000)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            take_pictures(browser, page)
            browser.close()


def copy_version(source: Storage, bucket: Storage) -> None:
    """Copy the version that serves, and the pointer to it."""
    version = registry.read_current(source).version
    for name in source.names(registry.file_name(version, "")):
        bucket.write(name, source.read(name).data)
    registry.promote(bucket, version, reason="pictures of the page")


@contextmanager
def serving(module: str, path: str, environment: Mapping[str, str]) -> Iterator[str]:
    """Start a service in a process of its own, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    variables = {**os.environ, **environment, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", module], env=variables)  # noqa: S603 - our own services
    try:
        wait_until(lambda: answers(f"{address}{path}"))
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    """Return whether a service answers and is ready."""
    try:
        return httpx.get(url).status_code != HTTPStatus.SERVICE_UNAVAILABLE
    except httpx.TransportError:
        return False


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for another process.

    Raises:
        TimeoutError: after two minutes.
    """
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("A service did not start; its output says why.")
        time.sleep(0.1)


def send_traffic(backend: str) -> None:
    """Classify drawn pictures, and give correct feedback on every second answer."""
    with httpx.Client(base_url=backend, timeout=DEADLINE) as client:
        for index in range(PICTURES):
            folder = list(ANIMALS10_FOLDERS)[index % len(ANIMALS10_FOLDERS)]
            picture = SamplePicture(RECIPE, folder, index).paint()
            answer = client.post("/classify/", files={"file": picture}).raise_for_status().json()
            if index % 2:
                feedback = {"x": ANIMALS10_FOLDERS[folder], "prediction_id": answer["prediction_id"]}
                client.post("/post_data/", json=feedback).raise_for_status()


def spread_over_days(bucket: Storage) -> None:
    """Spread predictions and feedback over the last days."""
    wait_until(lambda: len(log_lines(bucket)) == PICTURES)
    lines = log_lines(bucket)
    for name in list(bucket.names("predictions/")):
        bucket.delete(name)
    days = {entry.id: number % DAYS for number, entry in enumerate(lines)}
    for day in range(DAYS):
        of_day = [earlier(entry, "time", day) for entry in lines if days[entry.id] == day]
        text = "".join(f"{entry.model_dump_json()}\n" for entry in of_day)
        bucket.write(f"predictions/date={of_day[0].time:%Y-%m-%d}/{day}.jsonl", text.encode())
    for name in list(bucket.names("feedback/date=")):
        feedback = Feedback.model_validate_json(bucket.read(name).data)
        bucket.delete(name)
        moved = earlier(earlier(feedback, "answered", days[feedback.id]), "time", days[feedback.id])
        bucket.write(moved.name, moved.model_dump_json().encode())


def log_lines(bucket: Storage) -> list[LoggedPrediction]:
    """Return all predictions."""
    texts = [bucket.read(name).data for name in bucket.names("predictions/")]
    return [LoggedPrediction.model_validate_json(line) for text in texts for line in text.splitlines()]


def earlier(record: R, field: str, days: int) -> R:
    """Return a record with one of its times moved back."""
    return record.model_copy(update={field: getattr(record, field) - timedelta(days=days)})


def take_pictures(browser: Browser, page: str) -> None:
    """Take a screenshot of each page."""
    with visit(browser, page) as shown:
        choose(shown, "Horse")
        shown.get_by_role("button", name="Yes", exact=True).click()
        expect(shown.get_by_text("Thank you")).to_be_visible()
        take(shown, "page_answer")
    with visit(browser, page) as shown:
        choose(shown, "Tractor")
        take(shown, "page_none")
    with visit(browser, page, viewport={"width": 390, "height": 920}, color_scheme="dark", is_mobile=True) as shown:
        choose(shown, "Spider")
        shown.wait_for_timeout(DRAWN)
        shown.get_by_test_id("stCheckbox").last.evaluate("element => element.scrollIntoView({block: 'end'})")
        save(shown, "page_phone")
    with visit(browser, f"{page}/maintainer") as shown:
        expect(shown.get_by_text("Create report")).to_be_visible()
        take(shown, "page_maintainer")


@contextmanager
def visit(browser: Browser, url: str, **context: Any) -> Iterator[Page]:
    """Open a page as a new visitor."""
    options: dict[str, Any] = {"viewport": {"width": 860, "height": 900}, "device_scale_factor": 1.5, **context}
    visitor = browser.new_context(**options)
    visitor.set_default_timeout(DEADLINE * 1000)
    page = visitor.new_page()
    page.goto(url)
    yield page
    visitor.close()


def choose(page: Page, example: str) -> None:
    """Choose an example."""
    page.get_by_role("button", name=example, exact=True).click()
    expect(page.get_by_text("Store the picture for training")).to_be_visible()


def take(page: Page, name: str) -> None:
    """Save the whole page, not only what fits the window: Streamlit scrolls within it."""
    page.wait_for_timeout(DRAWN)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    page.set_viewport_size({"width": page.evaluate("window.innerWidth"), "height": height})
    bottom = page.evaluate("document.querySelector('[data-testid=stVerticalBlock]').getBoundingClientRect().bottom")
    page.set_viewport_size({"width": page.evaluate("window.innerWidth"), "height": math.ceil(bottom) + MARGIN})
    save(page, name)


def save(page: Page, name: str) -> None:
    """Save the window as a small PNG with few colours."""
    page.mouse.move(1, 1)  # elements under the mouse show their tools
    page.wait_for_timeout(DRAWN)
    shown = Image.open(BytesIO(page.screenshot())).convert("RGB")
    shown.quantize(256).save(FIGURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
