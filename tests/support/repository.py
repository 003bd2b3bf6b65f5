"""The files of this repository."""

import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def tracked() -> Iterator[PurePosixPath]:
    """Yield each file that is or will be committed, relative to the repository."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    yield from map(PurePosixPath, filter(None, listed.stdout.split("\0")))
