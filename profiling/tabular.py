"""Tables of Markdown, written and read."""

from collections.abc import Iterable, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, text: int = 1) -> list[str]:
    """The lines of a table whose first columns are text and whose others are numbers."""
    marks = ["---" if place < text else "---:" for place in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in (head, marks, *rows)]


def tables(text: str) -> list[list[str]]:
    """The lines of each table of a page."""
    found: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        begins = line.startswith("|")
        if begins and not inside:
            found.append([])
        if begins:
            found[-1].append(line)
        inside = begins
    return found


def grid(lines: Sequence[str]) -> list[list[str]]:
    """A table's cells, the head's first."""
    head, _, *others = map(_cells, lines)
    return [head, *others]


def rows(lines: Sequence[str]) -> list[dict[str, str]]:
    """A table's rows, by the names of its columns."""
    head, *others = grid(lines)
    return [dict(zip(head, row, strict=True)) for row in others]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]
