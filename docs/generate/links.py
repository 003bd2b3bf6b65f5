"""Links between the site and the rest of the repository.

In the repository a relative link works as it is. In the site, one to a page is led to that page, also if the page lies
outside docs/ (`BESIDES`); a picture is copied; anything else leads to the repository's address if that is known
(`extra.repository` in mkdocs.yml), and is plain text if not. A file that is not there is a warning, as for MkDocs's own
links, and a warning makes a strict build fail.
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
BESIDES: Final = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "data/README.md",
    "profiling/README.md",
    "reports/*.md",
    "reports/*/*.md",
)
"""Pages of the repository that are pages of the site too."""

ELSEWHERE: Final = "repository/"
"""Where these, and pictures from outside docs/, lie in the site."""

IGNORED: Final = "reports/versions/"
"""Reports on one's own versions, which git does not keep."""


def pages_besides() -> list[str]:
    """Paths of the pages outside docs/, from the repository's root."""
    found = [path.relative_to(ROOT).as_posix() for pattern in BESIDES for path in sorted(ROOT.glob(pattern))]
    return [path for path in found if not path.startswith(IGNORED)]


def in_repository(name: str) -> str:
    """Path of a file of the site, from the repository's root."""
    return name.removeprefix(ELSEWHERE) if name.startswith(ELSEWHERE) else f"{DOCS}{name}"


def in_site(path: str) -> str:
    """Name that a file of the repository has in the site, if it is there."""
    return path.removeprefix(DOCS) if path.startswith(DOCS) else f"{ELSEWHERE}{path}"


class Links(Treeprocessor, Extension):
    """Changes the links of one page after another.

    Args:
        config: of the site.
    """

    def __init__(self, config: MkDocsConfig) -> None:
        Treeprocessor.__init__(self)
        Extension.__init__(self)
        self._config = config
        self.page: Page | None = None
        self.files = Files([])

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802 - Python-Markdown's name
        """Take part, after links are read (20) and before MkDocs looks at them (0)."""
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
        if in_site(path) in self.files.src_uris or self._copied(path):
            element.set(attribute, posixpath.relpath(in_site(path), posixpath.dirname(here) or ".") + fragment)
        elif path.startswith("../") or not (ROOT / path).exists():
            log.warning("'%s' links to %s, which the repository does not have.", here, path)
        elif address := str(self._config.extra.get("repository") or "").rstrip("/"):
            element.set(attribute, f"{address}/{path}{fragment}")
        else:
            element.tag = "span"
            del element.attrib[attribute]
            element.set("title", f"{path} in the repository")

    def _copied(self, path: str) -> bool:
        """Whether it is a picture, which then comes into the site."""
        if Path(path).suffix not in PICTURES or not (ROOT / path).is_file():
            return False
        self.files.append(File.generated(self._config, in_site(path), abs_src_path=str(ROOT / path)))
        return True
