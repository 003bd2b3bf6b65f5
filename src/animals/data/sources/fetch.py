"""Get pictures from a source, and show how many there are of each label."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sources.folder import ImportResult, count_pictures
from animals.data.sources.import_pictures import (
    FEEDBACK_ROOT,
    PICTURES_ROOT,
    SAMPLE_ROOT,
    default_root,
    import_pictures,
)


def main(source: str, root: Path | None) -> None:
    """Get the pictures of a source, and print how many there are of each label and the next command.

    Args:
        source: as `import_pictures` reads it.
        root: folder that gets them; None: the one in which the source's experiment looks for them.
    """
    root = root or default_root(source)
    result = import_pictures(source, root)
    counts = count_pictures(root)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table(counts))
    console.print(summary(result, counts, root), markup=False)


def table(counts: Counter[str]) -> Table:
    """Return a table of the number of pictures of each label, and of all of them."""
    shown = Table("Label", show_footer=True)
    shown.columns[0].footer = "All"
    shown.add_column("Pictures", footer=f"{counts.total():,}", justify="right")
    for label, count in sorted((_label(folder), count) for folder, count in counts.items()):
        shown.add_row(label, f"{count:,}")
    return shown


def _label(folder: str) -> str:
    return f"{ANIMALS10_FOLDERS[folder]} ({folder})" if folder in ANIMALS10_FOLDERS else escape(folder)


def summary(result: ImportResult, counts: Counter[str], root: Path) -> str:
    """Return the number of new, existing, skipped and removed pictures, and the next command."""
    lines = [f"{root}: {result.new:,} new pictures, {result.existing:,} existed already."]
    if result.left_out:
        lines.append(f"Left out, since {result.reason}: {_some(result.left_out)}.")
    if result.removed:
        lines.append(f"Removed, since they were deleted or their label changed: {result.removed:,}.")
    if others := counts.total() - result.new - result.existing:
        lines.append(f"Files from elsewhere in this folder: {others:,}.")
    return "\n".join([*lines, *_next(counts, root)])


def _next(counts: Counter[str], root: Path) -> list[str]:
    if root != FEEDBACK_ROOT:
        return [f"Next: uv run invoke train{_experiment(counts, root)}"]
    return [
        f'Look at them: uv run invoke data --check --args "experiment=folder data.root={root}"',
        f'Then train on them too: uv run invoke train --args "data.extra={root} promote=false" and your other settings',
    ]


def _experiment(counts: Counter[str], root: Path) -> str:
    if counts.keys() != ANIMALS10_FOLDERS.keys():
        return f' --args "experiment=folder data.root={root}"'
    known = {SAMPLE_ROOT: "", PICTURES_ROOT: ' --args "experiment=animals10"'}
    return known.get(root, f' --args "experiment=animals10 data.root={root}"')


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3:,} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
