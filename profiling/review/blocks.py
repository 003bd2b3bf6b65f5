"""The generated parts of a Markdown page: what stands between two marks, and nothing else, is written anew."""

import re
from collections.abc import Callable, Sequence
from typing import Final

from animals.errors import DataError

BEGIN: Final = "<!-- made by: invoke report {name} -->"
END: Final = "<!-- end -->"

_MARK: Final = re.compile(r"<!-- (?:made by: invoke report (?P<name>[\w-]+)|end) -->")


def names(text: str) -> list[str]:
    """The parts of a page, in its order.

    Raises:
        DataError: a part does not end, or ends without a beginning.
    """
    return [name for name, _, _ in _parts(text)]


def fill(text: str, made: Callable[[str], Sequence[str]]) -> str:
    """The page with each part written anew.

    Args:
        text: the page.
        made: gives the lines of the part of a name.

    Raises:
        DataError: a part does not end, or ends without a beginning.
    """
    pieces, place = [], 0
    for name, start, end in _parts(text):
        pieces += [text[place:start], "\n\n", "\n".join(made(name)), "\n\n"]
        place = end
    return "".join([*pieces, text[place:]])


def outside(text: str) -> str:
    """The page without its generated parts: what people wrote."""
    pieces, place = [], 0
    for _, start, end in _parts(text):
        pieces.append(text[place:start])
        place = end
    return "".join([*pieces, text[place:]])


def _parts(text: str) -> list[tuple[str, int, int]]:
    """Name, and where what stands between the marks begins and ends."""
    found: list[tuple[str, int, int]] = []
    name, start = "", 0
    for mark in _MARK.finditer(text):
        line = text.count("\n", 0, mark.start()) + 1
        if bool(mark["name"]) == bool(name):
            wrong = f"begins inside {name!r}" if name else "ends what has not begun"
            raise DataError(f"Line {line} of the page {wrong}. Each {BEGIN.format(name='NAME')} needs its {END}.")
        if mark["name"]:
            name, start = mark["name"], mark.end()
        else:
            found.append((name, start, mark.start()))
            name = ""
    if name:
        raise DataError(
            f"The part {name!r} of the page does not end. Each {BEGIN.format(name='NAME')} needs its {END}."
        )
    return found
