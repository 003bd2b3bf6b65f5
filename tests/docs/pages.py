"""The Markdown pages of the repository, and the commands and links in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from docs.generate.links import ROOT, other_pages

GUIDES: Final = [ROOT / "README.md", ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
"""Step-by-step instructions."""

PAGES: Final = [
    ROOT / "README.md",
    *(ROOT / path for path in other_pages()),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> Iterator[str]:
    """Yield each line of the blocks marked as bash."""
    for block in re.findall(r"^```bash\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        yield from filter(None, map(str.strip, block.replace("\\\n", " ").splitlines()))


class _Links(Treeprocessor, Extension):
    def __init__(self) -> None:
        Treeprocessor.__init__(self)
        Extension.__init__(self)
        self.links: list[str] = []

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        md.treeprocessors.register(self, "links", 5)

    def run(self, root: Element) -> None:
        self.links += [link for element in root.iter() for link in (element.get("href"), element.get("src")) if link]


def links(page: Path) -> list[str]:
    """Return the targets of a page's links as they are written."""
    collector = _Links()
    Markdown(extensions=[collector, "tables", "pymdownx.superfences"]).convert(page.read_text("utf-8"))
    return collector.links
