"""Chromium of this machine, controlled by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.environments import do_without

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

TIMEOUT = 60_000
"""Milliseconds; a machine that runs other tests is slow."""

_OPTIONS = (
    "--no-sandbox",  # tests also run as root
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


def chromium_or_skip() -> None:
    """Skip the test on a machine without Chromium."""
    if CHROMIUM is None:
        do_without("Chromium", debian="chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Yield a browser without a window; skip the test where there is none."""
    chromium_or_skip()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        expect.set_options(timeout=TIMEOUT)
        yield browser
        browser.close()
