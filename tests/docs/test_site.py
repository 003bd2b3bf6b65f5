"""The site is built as CI and readers build it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.generate.diagrams import DIAGRAMS, FIGURES
from docs.generate.links import ROOT
from docs.generate.pages import PAGES

MERMAID = re.compile(r'class="([^"]* )?mermaid[ "]')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built strictly, so that it is there only if no link is broken and no page forgotten."""
    place = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(place)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    told = done.stdout + done.stderr
    assert (done.returncode, [line for line in told.splitlines() if not line.startswith("INFO")]) == (0, [])
    return place


def test_generated_pages_are_in_it(site: Path) -> None:
    assert [page for page in PAGES if not (site / page.removesuffix(".md") / "index.html").is_file()] == []


class _Loaded(HTMLParser):
    """What a browser fetches by itself for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") != "canonical":
            self.found.append(given.get("href") or "")
        self.found.append(given.get("src") or "")


def loaded(site: Path) -> Iterator[tuple[str, str]]:
    for page in site.rglob("*.html"):
        parser = _Loaded()
        parser.feed(page.read_text("utf-8"))
        yield from ((page.name, address) for address in parser.found)


def test_no_page_lets_a_browser_ask_anybody_else(site: Path) -> None:
    assert [found for found in loaded(site) if re.match(r"([a-z]+:)?//", found[1])] == []


def test_the_theme_finds_no_diagram_to_fetch_code_for(site: Path) -> None:
    # it would load Mermaid from elsewhere as soon as a page has an element of this class; ours are drawn already
    assert [page.name for page in site.rglob("*.html") if MERMAID.search(page.read_text("utf-8"))] == []


def test_pictures_of_the_site_are_there(site: Path) -> None:
    pages = ((page, re.findall(r'<img[^>]* src="([^"]+)"', page.read_text("utf-8"))) for page in site.rglob("*.html"))
    missing = [
        src for page, found in pages for src in found if page.name != "404.html" and not (page.parent / src).exists()
    ]
    assert missing == []


def test_python_files_are_no_part_of_it(site: Path) -> None:
    assert list(site.rglob("*.py")) == []


@pytest.mark.parametrize("name", list(DIAGRAMS))
def test_diagrams_are_as_they_would_be_drawn_now(name: str) -> None:
    drawn = (FIGURES / name).read_text("utf-8")
    assert drawn == DIAGRAMS[name](), "Draw them anew: python -m docs.generate.diagrams"
