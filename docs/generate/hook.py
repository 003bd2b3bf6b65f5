"""The hook of MkDocs: tables from the code, pages and links of the repository, and diagrams."""

import hashlib
import logging
import re
import sys
from pathlib import Path
from typing import Any, Final

import mermaidx
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parents[2]))  # MkDocs loads this file by its path; the others are a package

from docs.generate.commands import commands
from docs.generate.links import ROOT, Links, in_site, other_pages
from docs.generate.metrics import backend_metrics, report_metrics
from docs.generate.settings import settings, variables

log = logging.getLogger("mkdocs.hooks.diagrams")

TABLES: Final = {it.__name__: it for it in (commands, settings, variables, backend_metrics, report_metrics)}
"""Name in a page's `<!-- table: NAME -->` -> function that returns the Markdown."""

SCALE: Final = 0.75
"""Of Mermaid's own size, so that its letters are as large as those of the page."""

_LINKS: Final[list[Links]] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the processing of links and diagrams."""
    fences = [{"name": "mermaid", "class": "diagram", "format": draw}]
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": fences}
    _LINKS[:] = [Links(config)]
    config.markdown_extensions.append(_LINKS[0])  # type: ignore[arg-type]  # Python-Markdown takes objects too
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/."""
    for path in other_pages():
        files.append(File.generated(config, in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Insert the tables."""
    _LINKS[0].page, _LINKS[0].files = page, files
    return re.sub(r"<!-- table: (\w+) -->", lambda name: TABLES[name[1]](), markdown)


def draw(source: str, language: str, css_class: str, options: object, md: object, **_: Any) -> str:
    """Return a Mermaid diagram as SVG, with a width of its own so that a wide one scrolls.

    The theme would load Mermaid from another host in each reader's browser; mermaidx runs it once, here.
    """
    del language, options, md
    try:
        svg = mermaidx.render(source).svg()
    except RuntimeError as error:
        log.warning("A diagram cannot be drawn: %s", " ".join(str(error).split()))
        return ""
    width = float(re.findall(r'viewBox="\S+ \S+ (\S+)', svg)[0]) * SCALE
    name = f"diagram-{hashlib.sha256(source.encode()).hexdigest()[:8]}"  # its style is for its own elements only
    sized = svg.replace("my-svg", name).replace('width="100%"', f'width="{width:.0f}"', 1)
    return f'<div class="{css_class}">{sized}</div>'
