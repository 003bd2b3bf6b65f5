"""A Chromium of this machine, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, expect, sync_playwright

from tests.support.environments import do_without

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

PATIENCE = 60_000
"""Milliseconds, since a machine that is busy with other tests is slow."""

_QUIET = (
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Without a sandbox, since tests also run as root; and calling nobody by itself."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*_QUIET, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"],
        )
        expect.set_options(timeout=PATIENCE)
        yield browser
        browser.close()


def chromium_or_skip() -> None:
    """Skip a test where there is no browser."""
    if CHROMIUM is None:
        do_without("Chromium", debian="chromium")
