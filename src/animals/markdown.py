"""Tables in Markdown, for reports and cards."""

from collections.abc import Iterable, Sequence
from typing import Final

BAR: Final = "&#124;"
"""The sign that divides cells, where it divides none."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, in whose cells the sign that divides them may stand: labels are named by whoever names folders."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', BAR) for cell in line)} |" for line in lines)
