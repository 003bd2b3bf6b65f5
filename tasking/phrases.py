"""Search the repository for phrases that readers stumble over: `invoke lint --only phrases`."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]

PHRASES: Final = {
    r"\bso many\b|\bso-manyth": "a number, or `this number of`",
    r"\bto be had\b": "`available`",
    r"\b(is|are) told\b": "`gets`, `reads` or `is set to`",
    r"\bgoes on\b": "`continues` or `resumes`",
    r"\bwhoever\b|\bnobody\b|\bsomebody\b(?!@)": "the role: user, client, maintainer",
    r"\blets? us in\b": "`permission granted` or `denied`",
    r"\bspoil(s|ed)?\b": "`corrupted` or `damaged`",
}
"""Pattern -> what to write instead."""

FILES: Final = ("*.py", "*.md", "*.yaml", "*.yml", "*.dockerfile", ":!*phrases.py", ":!*/art/*", ":!CHANGELOG.md")


def find(text: str) -> list[tuple[int, str, str]]:
    """Return the line number, the phrase and what to write instead, for each phrase in a text."""
    return [
        (number, match.group(), instead)
        for number, line in enumerate(text.splitlines(), 1)
        for pattern, instead in PHRASES.items()
        for match in re.finditer(pattern, line, re.IGNORECASE)
    ]


def main() -> None:
    """Print each phrase in a file under version control; exit with 1 if there is one."""
    listed = subprocess.run(["git", "ls-files", "-z", *FILES], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S603, S607 - fixed
    names = [name for name in listed.decode().split("\0") if name and (ROOT / name).is_file()]
    problems = [
        f"{name}:{number}: `{phrase}`; write {instead}"
        for name in names
        for number, phrase, instead in find((ROOT / name).read_text(encoding="utf-8"))
    ]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
