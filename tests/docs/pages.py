"""The Markdown pages of the repository, and what stands in them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor

from docs.generate.links import ROOT, pages_besides

GUIDES: Final = [ROOT / "docs" / "tutorial.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
"""What people do step by step."""

PAGES: Final = [
    ROOT / "README.md",
    *(ROOT / path for path in pages_besides()),
    *sorted((ROOT / "docs").rglob("*.md")),
]


def name(page: Path) -> str:
    """As people know it."""
    return page.relative_to(ROOT).as_posix()


def commands(page: Path) -> Iterator[str]:
    """Each line of the blocks marked as bash."""
    for block in re.findall(r"^```bash\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
        yield from filter(None, map(str.strip, block.replace("\\\n", " ").splitlines()))


class _Links(Treeprocessor, Extension):
    def __init__(self) -> None:
        Treeprocessor.__init__(self)
        Extension.__init__(self)
        self.found: list[str] = []

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        md.treeprocessors.register(self, "found", 5)

    def run(self, root: Element) -> None:
        self.found += [link for element in root.iter() for link in (element.get("href"), element.get("src")) if link]


def links(page: Path) -> list[str]:
    """Where a page leads, as it is written."""
    found = _Links()
    Markdown(extensions=[found, "tables", "pymdownx.superfences"]).convert(page.read_text("utf-8"))
    return found.found
