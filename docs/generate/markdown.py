"""Pieces of Markdown."""

from collections.abc import Iterable


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table; cells may be Markdown, and are kept on one line."""
    titles = list(header)
    lines = [titles, ["---"] * len(titles), *(map(_cell, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """A name or value as it is typed."""
    return f"`{text}`"


def page(title: str, introduction: str, *sections: str) -> str:
    """A whole page."""
    return "\n\n".join(part.strip() for part in (f"# {title}", introduction, *sections) if part.strip()) + "\n"
