"""Links between the site and the rest of the repository.

Pages use relative links to files. In the site, a link to a page leads to that page, also for pages outside docs/; a
picture is copied; any other file is linked at the repository's URL (`extra.repository` in mkdocs.yml), or is plain text
without one. A missing file is a warning, which makes a strict build fail.
"""

import logging
import posixpath
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from markdown import Markdown
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.links")

ROOT: Final = Path(__file__).parents[2]
PICTURES: Final = frozenset({".png", ".jpg", ".svg"})
DOCS: Final = "docs/"
OTHER_PAGES: Final = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "profiling/README.md",
    "reports/*.md",
    "reports/*/*.md",
)
"""Pages outside docs/ that are in the site too."""

REPOSITORY: Final = "repository/"
"""Folder of these pages, and of pictures outside docs/, in the site."""

IGNORED: Final = "reports/versions/"
"""Reports that git ignores."""


def other_pages() -> list[str]:
    """Return the paths of the pages outside docs/, from the repository's root."""
    paths = [path.relative_to(ROOT).as_posix() for pattern in OTHER_PAGES for path in sorted(ROOT.glob(pattern))]
    return [path for path in paths if not path.startswith(IGNORED)]


def in_repository(name: str) -> str:
    """Return the path of a file of the site, from the repository's root."""
    return name.removeprefix(REPOSITORY) if name.startswith(REPOSITORY) else f"{DOCS}{name}"


def in_site(path: str) -> str:
    """Return the name of a file of the repository in the site, if it is there."""
    return path.removeprefix(DOCS) if path.startswith(DOCS) else f"{REPOSITORY}{path}"


class Links(Treeprocessor, Extension):
    """Changes the links of one page after another."""

    def __init__(self, config: MkDocsConfig) -> None:
        Treeprocessor.__init__(self)
        Extension.__init__(self)
        self._config = config
        self.page: Page | None = None
        self.files = Files([])

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Register between the parser of links (20) and MkDocs's check (0)."""
        md.treeprocessors.register(self, "links", 5)

    def run(self, root: Element) -> None:
        """Change the links of a page."""
        if self.page is None:
            return
        for tag, attribute in (("a", "href"), ("img", "src")):
            for element in root.iter(tag):
                link = urlsplit(element.get(attribute, ""))
                if link.path and not link.scheme and not link.netloc:
                    self._change(self.page.file.src_uri, element, attribute)

    def _change(self, here: str, element: Element, attribute: str) -> None:
        link = urlsplit(element.attrib[attribute])
        path = posixpath.normpath(posixpath.join(posixpath.dirname(in_repository(here)), link.path))
        fragment = f"#{link.fragment}" if link.fragment else ""
        if in_site(path) in self.files.src_uris or self._copy_picture(path):
            element.set(attribute, posixpath.relpath(in_site(path), posixpath.dirname(here) or ".") + fragment)
        elif path.startswith("../") or not (ROOT / path).exists():
            log.warning("'%s' links to %s, which the repository does not have.", here, path)
        elif address := str(self._config.extra.get("repository") or "").rstrip("/"):
            element.set(attribute, f"{address}/{path}{fragment}")
        else:
            element.tag = "span"
            del element.attrib[attribute]
            element.set("title", f"{path} in the repository")

    def _copy_picture(self, path: str) -> bool:
        """Copy a picture into the site; return False if it is none."""
        if Path(path).suffix not in PICTURES or not (ROOT / path).is_file():
            return False
        self.files.append(File.generated(self._config, in_site(path), abs_src_path=str(ROOT / path)))
        return True
