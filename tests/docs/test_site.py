"""The site is built as CI and readers build it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.generate.links import ROOT


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built strictly: a broken link or a forgotten page fails."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    output = done.stdout + done.stderr
    assert (done.returncode, [line for line in output.splitlines() if not line.startswith("INFO")]) == (0, [])
    return folder


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("tasks", ('id="load-test"', 'id="train"', "--users")),
        ("settings", ("optimizer.lr", "Highest learning rate.", "experiment=sample")),
        ("environment", ("ANIMALS_SECRET", "GITHUB_TOKEN", "A local folder or gs://name/prefix.")),
        ("metrics", ("animals_requests_total", "<code>route</code>, <code>status</code>", "animals_drift_size")),
        ("bucket", ('id="animals.records.Card"', 'id="animals.api.Summary"', "trigger.RetrainRequest")),
        ("errors", ('id="animals.errors.PictureTooLarge"', "A picture with more bytes or pixels than allowed.")),
    ],
)
def test_the_reference_has_what_the_code_declares(site: Path, page: str, texts: tuple[str, ...]) -> None:
    html = (site / "reference" / page / "index.html").read_text("utf-8")
    assert [text for text in texts if text not in html] == []


def test_diagrams_are_svg(site: Path) -> None:
    assert '<div class="diagram"><svg' in (site / "design" / "deployment" / "index.html").read_text("utf-8")


class _Loaded(HTMLParser):
    """Collects what a browser loads by itself for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") != "canonical":
            self.urls.append(given.get("href") or "")
        self.urls.append(given.get("src") or "")


def loaded(site: Path) -> Iterator[tuple[str, str]]:
    for page in site.rglob("*.html"):
        parser = _Loaded()
        parser.feed(page.read_text("utf-8"))
        yield from ((page.name, url) for url in parser.urls)


def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    assert [found for found in loaded(site) if re.match(r"([a-z]+:)?//", found[1])] == []
    # the theme would load Mermaid's code for an element of this class
    mermaid = re.compile(r'class="([^"]* )?mermaid[ "]')
    assert [page.name for page in site.rglob("*.html") if mermaid.search(page.read_text("utf-8"))] == []


def test_python_files_are_not_in_the_site(site: Path) -> None:
    assert list(site.rglob("*.py")) == []
