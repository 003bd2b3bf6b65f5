"""Write files so that a reader sees all of one, or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to, and move it to `path` at the end.

    The temporary name is hidden and the same each time: what a killed process left is overwritten by the next one.
    Callers that may write the same file at once need a lock. The file is not flushed to the disk.

    Args:
        path: the file to write; its folder is created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.unfinished")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
