"""`python -m animals.data`: bring pictures, check them, describe them, write shards and keep versions of them."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from animals.animals10 import ANIMALS10_FOLDERS
from animals.cli import exit_on_error
from animals.data.sources.folder import ImportResult, count_pictures
from animals.data.sources.import_pictures import (
    FEEDBACK_ROOT,
    PICTURES_ROOT,
    SAMPLE_ROOT,
    default_root,
    import_pictures,
)
from animals.data.versioning import add_version, pointer


def fetch(arguments: argparse.Namespace) -> None:
    """Bring pictures, and show how many there are of each label."""
    root = arguments.root or default_root(arguments.source)
    result = import_pictures(arguments.source, root, bucket=arguments.bucket)
    counts = count_pictures(root)
    console = Console(highlight=False, soft_wrap=True)
    console.print(table(counts))
    console.print(summary(result, counts, root), markup=False)


def table(counts: Counter[str]) -> Table:
    """How many pictures each label has, and all together, from the count in each folder."""
    shown = Table("Label", show_footer=True)
    shown.columns[0].footer = "All"
    shown.add_column("Pictures", footer=f"{counts.total():,}", justify="right")
    for label, count in sorted((_label(folder), count) for folder, count in counts.items()):
        shown.add_row(label, f"{count:,}")
    return shown


def _label(folder: str) -> str:
    return f"{ANIMALS10_FOLDERS[folder]} ({folder})" if folder in ANIMALS10_FOLDERS else escape(folder)


def summary(result: ImportResult, counts: Counter[str], root: Path) -> str:
    """What was done, what was not, and what may be done next."""
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


def check(arguments: argparse.Namespace) -> None:
    """Look for pictures that would spoil a training."""
    from animals.data import checks

    checks.main(arguments.overrides)


def stats(arguments: argparse.Namespace) -> None:
    """Describe the pictures in numbers."""
    from animals.data import statistics

    statistics.main(arguments.overrides)


def shards(arguments: argparse.Namespace) -> None:
    """Write pictures as shards, which a training streams; the same command goes on where it was."""
    from animals.data.shards import write

    write.main(arguments.url, arguments.overrides)


def version(arguments: argparse.Namespace) -> None:
    """Add the pictures to DVC, push them, and say what to type next."""
    url = add_version(arguments.root)
    file = pointer(arguments.root).as_posix()
    sys.stdout.write(f"""
The pictures are in {url}. To make this version part of the repository:

git add {file}
git commit -m "Change the pictures"
git push
""")


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; ends the process when it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m animals.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("fetch", help="bring pictures to this machine", description=fetch.__doc__)
    command.add_argument("source", help="sample, kaggle, feedback, gs://name/prefix, a folder, a zip or tar file")
    where = f"folder that gets them [{PICTURES_ROOT}; {SAMPLE_ROOT} for sample, {FEEDBACK_ROOT} for feedback]"
    command.add_argument("--root", type=Path, help=where)
    command.add_argument("--bucket", help="URL of the bucket that holds the feedback [ANIMALS_BUCKET]")
    command.set_defaults(run=fetch)
    for run, about in ((check, "look for broken and doubtful pictures"), (stats, "describe them in numbers")):
        command = commands.add_parser(run.__name__, help=about, description=run.__doc__)
        command.add_argument("overrides", nargs="*", help="Hydra overrides, as in experiment=animals10 [sample]")
        command.set_defaults(run=run)
    command = commands.add_parser("shards", help="write them as shards to stream", description=shards.__doc__)
    command.add_argument("url", help="where to: gs://name/prefix or a folder")
    command.add_argument("overrides", nargs="*", help="Hydra overrides, as in experiment=animals10 [sample]")
    command.set_defaults(run=shards)
    command = commands.add_parser("version", help="keep a version of them in a bucket", description=version.__doc__)
    command.add_argument("--root", type=Path, default=PICTURES_ROOT, help=f"folder of the pictures [{PICTURES_ROOT}]")
    command.set_defaults(run=version)
    return parser.parse_args(words)


def main() -> None:
    """Run one command, with errors as one sentence and an exit code."""
    arguments = parse()
    with exit_on_error():
        arguments.run(arguments)


if __name__ == "__main__":
    main()
