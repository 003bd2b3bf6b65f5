"""Mermaid's diagrams become SVG when the site is built.

The theme would load Mermaid's code from elsewhere in the browser of each reader. Here it runs once, by mermaidx, which
carries it.
"""

import hashlib
import logging
import re
from typing import Any, Final

import mermaidx

log = logging.getLogger("mkdocs.hooks.mermaid")

SCALE: Final = 0.75
"""Of Mermaid's own size, so that its letters are as large as those of the page."""


def fence(source: str, language: str, css_class: str, options: object, md: object, **_: Any) -> str:
    """What stands in the page instead of a fenced block; `superfences` calls it so."""
    del language, options, md
    try:
        svg = mermaidx.render(source).svg()
    except RuntimeError as error:
        log.warning("A diagram cannot be drawn: %s", " ".join(str(error).split()))
        return ""
    name = f"diagram-{hashlib.sha256(source.encode()).hexdigest()[:8]}"  # its style is for its own elements only
    return f'<div class="{css_class}">{_sized(svg.replace("my-svg", name))}</div>'


def _sized(svg: str) -> str:
    """With a width of its own: a wide one is moved sideways, and not made too small to be read."""
    width = float(re.findall(r'viewBox="\S+ \S+ (\S+)', svg)[0]) * SCALE
    return svg.replace('width="100%"', f'width="{width:.0f}"', 1)
