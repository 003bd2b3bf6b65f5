"""Make the sample set: small, free pictures in the folders of Animals-10, so that everything runs without a download.

    make_sample(Path("data/sample"))   # 3750 pictures, 40 MB, half a minute on two cores

The set is finished when its `sample.json` exists. After an interruption repeat the call: it makes what is missing.
"""

import json
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from filelock import FileLock

from animals.animals10 import ANIMALS10_FOLDERS
from animals.concurrency import in_processes, progress_bar
from animals.cpus import available_cpus
from animals.data.sample.drawings import CREDITS, STYLES
from animals.data.sample.picture import GENERATOR, SIGNATURE, Recipe, SamplePicture, file_head
from animals.errors import ConfigError, DataError
from animals.files import atomic_write

MARKER: Final = "sample.json"

CHUNK: Final = 16
"""Pictures that a worker makes at a time: a quarter of a second, so that Ctrl-C is prompt."""

MIN_PER_WORKER: Final = 64
"""Pictures that take about as long as starting a process."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What a call did; all counts are pictures."""

    made: int
    skipped: int
    """Existing pictures of the same recipe."""
    removed: int = 0
    """Sample pictures of other settings."""


def make_sample(
    root: Path,
    *,
    per_label: int = 375,
    seed: int = 0,
    styles: Sequence[str] = STYLES,
    workers: int | None = None,
) -> SampleResult:
    """Make the sample set, or what is missing of it. Calls for the same root at the same time wait for each other.

    Args:
        root: folder for the ten label folders and `sample.json`. Sample pictures of other settings in it are removed,
            never any other file.
        per_label: number of pictures for each of the ten labels. A larger number keeps the existing ones.
        seed: zero or more; the same seed and styles give the same bytes, with the same Pillow and numpy.
        styles: some of `drawings.STYLES`, in any order.
        workers: number of processes; by default one for each CPU, fewer for few pictures. With more than one, a script
            that calls this needs the usual `if __name__ == "__main__":`.

    Returns:
        The numbers of pictures.

    Raises:
        ConfigError: a number is too small, or a style does not exist.
        DataError: `root` is no folder, or its label folders hold files that are no sample pictures. Nothing was
            changed.
    """
    if per_label < 1 or seed < 0:
        raise ConfigError(f"per_label is {per_label} and seed {seed}; expected 1 or more, and 0 or more.")
    recipe = Recipe(seed, _check_styles(styles))
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file; the sample pictures need a folder. Choose another one.")
    folder = root.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        return _make(root, recipe, per_label, workers)


def _make(root: Path, recipe: Recipe, per_label: int, workers: int | None) -> SampleResult:
    plan = [SamplePicture(recipe, folder, index) for folder in ANIMALS10_FOLDERS for index in range(per_label)]
    expected = {picture.path: picture for picture in plan}
    marker = _marker(recipe, per_label)
    finished = (root / MARKER).is_file() and (root / MARKER).read_bytes() == marker
    existing, stale = _existing_pictures(root, expected.keys(), recipe, finished)
    missing = [picture for path, picture in expected.items() if path not in existing]
    if missing or stale or not finished:
        _clear(root, stale)
        if workers is None:
            workers = max(1, min(available_cpus(), len(missing) // MIN_PER_WORKER))
        _paint_all(root, missing, workers)
        with atomic_write(root / MARKER) as temporary:
            temporary.write_bytes(marker)
    log.info("Sample pictures in %s: %d made, %d existed already", root, len(missing), len(existing))
    return SampleResult(made=len(missing), skipped=len(existing), removed=len(stale))


def _paint_all(root: Path, pictures: Sequence[SamplePicture], workers: int) -> None:
    chunks = [tuple(pictures[start : start + CHUNK]) for start in range(0, len(pictures), CHUNK)]
    with progress_bar() as progress:
        task = progress.add_task("Composing sample pictures", total=len(pictures))
        for chunk, _ in in_processes(partial(_paint_chunk, root=root), chunks, workers=workers):
            progress.advance(task, len(chunk))


def _paint_chunk(pictures: Sequence[SamplePicture], *, root: Path) -> None:
    for picture in pictures:
        with atomic_write(root / picture.path) as temporary:
            temporary.write_bytes(picture.paint())


def _check_styles(styles: Sequence[str]) -> tuple[str, ...]:
    """Return the styles once each in the order of `STYLES`."""
    if not styles or not set(styles) <= set(STYLES):
        raise ConfigError(f"styles is {', '.join(styles) or 'empty'}; expected one or more of {', '.join(STYLES)}.")
    return tuple(style for style in STYLES if style in styles)


def _marker(recipe: Recipe, per_label: int) -> bytes:
    """Return the content of `sample.json`: the settings, and the credits for the drawings."""
    credits = [CREDITS[style] for style in recipe.styles]
    settings = {
        "generator": GENERATOR,
        "seed": recipe.seed,
        "per_label": per_label,
        "styles": recipe.styles,
        "drawings": [f"{credit.name} by {credit.by}, {credit.licence}" for credit in credits],
    }
    return (json.dumps(settings, indent=2) + "\n").encode()


def _existing_pictures(
    root: Path, expected: Collection[Path], recipe: Recipe, finished: bool
) -> tuple[set[Path], list[Path]]:
    """Return the existing pictures of this set, and those of other settings, as paths below the root.

    In a finished set the name decides, else the comment in the file.
    """
    existing, stale, foreign = set(), [], []
    for path in _files(root):
        head = recipe.comment if finished and path in expected else file_head(root / path)
        if SIGNATURE not in head:
            foreign.append(path)
        elif recipe.comment in head and path in expected:
            existing.add(path)
        else:
            stale.append(path)
    if foreign:
        raise DataError(
            f"{root} has {len(foreign)} files that are no sample pictures, such as {min(foreign)}. "
            "Move them away, or choose another folder."
        )
    return existing, stale


def _files(root: Path) -> list[Path]:
    """Return the files in the label folders except hidden ones, as paths below the root."""
    paths = (path for folder in ANIMALS10_FOLDERS for path in (root / folder).rglob("*"))
    return [path.relative_to(root) for path in paths if path.is_file() and not path.name.startswith(".")]


def _clear(root: Path, stale: Sequence[Path]) -> None:
    """Remove stale pictures and what a killed process left.

    The marker is removed first, so that an interrupted change does not look finished.
    """
    (root / MARKER).unlink(missing_ok=True)
    if stale:
        log.warning("Removing %d sample pictures in %s that were made with other settings", len(stale), root)
    for path in (*(root / path for path in stale), *root.glob("*/.*.unfinished")):
        path.unlink()
