"""Tables in Markdown, for reports and cards."""

from collections.abc import Iterable, Sequence
from typing import Final

BAR: Final = "&#124;"
"""The sign that divides cells, where it divides none."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown. Cells may contain its separator, since labels come from the names of folders."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |" for line in lines)
