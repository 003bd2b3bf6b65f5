"""What MkDocs calls while it builds the site (`hooks:` in mkdocs.yml)."""

import sys
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parents[2]))  # MkDocs loads this file by its path; the others are a package

from docs.generate.links import ROOT, Links, in_site, pages_besides
from docs.generate.mermaid import fence
from docs.generate.pages import PAGES

_LINKS: Final[list[Links]] = []


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Let links be changed, and diagrams be drawn."""
    fences = [{"name": "mermaid", "class": "diagram", "format": fence}]
    config.mdx_configs["pymdownx.superfences"] = {"custom_fences": fences}
    _LINKS[:] = [Links(config)]
    config.markdown_extensions.append(_LINKS[0])  # type: ignore[arg-type]  # Python-Markdown takes objects too
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages, and those that lie elsewhere in the repository."""
    for name, write in PAGES.items():
        files.append(File.generated(config, name, content=write()))
    for path in pages_besides():
        files.append(File.generated(config, in_site(path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Say which page is read now."""
    _LINKS[0].page, _LINKS[0].files = page, files
    return markdown
