"""Make the sample set: small, free pictures in the folders of Animals-10, so that all else runs without a download.

    make_sample(Path("data/sample"))   # 3750 pictures, 40 MB, half a minute on two cores

The set is finished when its `sample.json` is there. Until then a run that was cut off is taken up where it was.
"""

import json
import logging
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from animals.animals10 import ANIMALS10_FOLDERS
from animals.concurrency import in_processes, progress_bar
from animals.cpus import available_cpus
from animals.data.sample.drawings import CREDITS, STYLES
from animals.data.sample.picture import GENERATOR, UNFINISHED, Origin, Recipe, SamplePicture, origin_of, write_whole
from animals.errors import ConfigError, DataError

MARKER: Final = "sample.json"

CHUNK: Final = 16
"""Pictures that a worker takes at once: a quarter of a second, so that Ctrl-C is prompt."""

WORTH_A_WORKER: Final = 64
"""Pictures that take about as long as starting one more process."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SampleResult:
    """What a call did; all counts are pictures."""

    root: Path
    made: int
    """Composed by this call."""
    skipped: int
    """There already, by the same recipe."""
    removed: int = 0
    """Sample pictures of other settings that were in the way."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What lies in the label folders, as paths below the root."""

    kept: frozenset[Path]
    stale: tuple[Path, ...]
    """Made by this package, but no part of the set asked for."""


def make_sample(
    root: Path,
    *,
    per_label: int = 375,
    seed: int = 0,
    styles: Sequence[str] = STYLES,
    workers: int | None = None,
) -> SampleResult:
    """Make the sample set, or what is missing of it.

    Args:
        root: gets the ten folders and `sample.json`. Sample pictures of other settings that lie there are removed,
            never any other file. Only one call at a time may make a set there.
        per_label: pictures for each of the ten labels. More of them leave the first ones as they are.
        seed: zero or more; the same seed and styles give the same bytes, given the same Pillow and numpy.
        styles: of `drawings.STYLES`, in any order.
        workers: processes; by default as many as there are cores for us, fewer for few pictures. With more than one,
            a script that calls this needs the usual `if __name__ == "__main__":`.

    Returns:
        How many pictures were made, were there already, and were removed.

    Raises:
        ConfigError: a number is too small, or there is no such style.
        DataError: `root` is no folder, or files that this package did not make lie in its label folders. Nothing
            was changed then.
    """
    _check_numbers(per_label, seed, workers)
    recipe = Recipe(seed, _known(styles))
    marker = _marker(recipe, per_label)
    finished = _is_finished(root, marker)
    wanted = {picture.path: picture for picture in _plan(recipe, per_label)}
    found = _sort_out(root, wanted.keys(), recipe, finished)
    missing = [picture for path, picture in wanted.items() if path not in found.kept]
    if missing or found.stale or not finished:
        _make_room(root, found.stale)
        _paint_all(root, missing, _fastest(len(missing)) if workers is None else workers)
        write_whole(root / MARKER, marker)
    log.info("Sample pictures in %s: %d made, %d there already", root, len(missing), len(found.kept))
    return SampleResult(root, made=len(missing), skipped=len(found.kept), removed=len(found.stale))


def _paint_all(root: Path, pictures: Sequence[SamplePicture], workers: int) -> None:
    """Write pictures under a root whose label folders are there; each whole or, if this is cut off, not at all."""
    chunks = [tuple(pictures[start : start + CHUNK]) for start in range(0, len(pictures), CHUNK)]
    with progress_bar() as progress:
        task = progress.add_task("Composing sample pictures", total=len(pictures))
        for chunk, _ in in_processes(partial(_paint_chunk, root=root), chunks, workers=workers):
            progress.advance(task, len(chunk))


def _fastest(pictures: int) -> int:
    return max(1, min(available_cpus(), pictures // WORTH_A_WORKER))


def _paint_chunk(pictures: Sequence[SamplePicture], *, root: Path) -> None:
    for picture in pictures:
        picture.paint_into(root)


def _check_numbers(per_label: int, seed: int, workers: int | None) -> None:
    if per_label < 1:
        raise ConfigError(f"per_label is {per_label}; each label needs 1 sample picture or more.")
    if seed < 0:
        raise ConfigError(f"seed is {seed}; expected 0 or more.")
    if workers is not None and workers < 1:
        raise ConfigError(f"workers is {workers}; expected 1 or more, or None for one a core.")


def _known(styles: Sequence[str]) -> tuple[str, ...]:
    """The styles once each and in the order of `STYLES`, so that the order asked for does not matter."""
    if unknown := sorted(set(styles) - set(STYLES)):
        raise ConfigError(f"There is no style {', '.join(map(repr, unknown))}; choose from {', '.join(STYLES)}.")
    if not styles:
        raise ConfigError(f"No style is named; choose one or more from {', '.join(STYLES)}.")
    return tuple(style for style in STYLES if style in styles)


def _marker(recipe: Recipe, per_label: int) -> bytes:
    """What `sample.json` says of a finished set: its settings, and whom to credit for the drawings."""
    credits = [CREDITS[style] for style in recipe.styles]
    settings = {
        "generator": GENERATOR,
        "seed": recipe.seed,
        "per_label": per_label,
        "styles": recipe.styles,
        "drawings": [f"{credit.name} by {credit.by}, {credit.licence}" for credit in credits],
    }
    return (json.dumps(settings, indent=2) + "\n").encode()


def _is_finished(root: Path, marker: bytes) -> bool:
    if root.exists() and not root.is_dir():
        raise DataError(f"{root} is a file; the sample pictures need a folder.")
    path = root / MARKER
    return path.is_file() and path.read_bytes() == marker


def _plan(recipe: Recipe, per_label: int) -> Iterator[SamplePicture]:
    for folder in ANIMALS10_FOLDERS:
        for index in range(per_label):
            yield SamplePicture(recipe, folder, index)


def _sort_out(root: Path, wanted: Collection[Path], recipe: Recipe, finished: bool) -> _Found:
    """Tell what is there apart; in a finished set a name is enough, else the file itself says who made it."""
    kept, stale, foreign = set(), [], []
    for path in _files(root):
        origin = Origin.THIS_RECIPE if finished and path in wanted else origin_of(root / path, recipe)
        if origin is Origin.ELSEWHERE:
            foreign.append(path)
        elif origin is Origin.THIS_RECIPE and path in wanted:
            kept.add(path)
        else:
            stale.append(path)
    if foreign:
        raise DataError(
            f"{root} holds {len(foreign)} files that are no sample pictures, such as {min(foreign)}. "
            "Sample pictures would mix with them: name another folder, or move them away."
        )
    return _Found(frozenset(kept), tuple(stale))


def _files(root: Path) -> list[Path]:
    """Below the label folders, relative to the root; hidden files are no pictures, here as elsewhere."""
    found = (path for folder in ANIMALS10_FOLDERS for path in (root / folder).rglob("*"))
    return [path.relative_to(root) for path in found if path.is_file() and not path.name.startswith(".")]


def _make_room(root: Path, stale: Sequence[Path]) -> None:
    """Remove what is in the way.

    The marker goes first: a set that is being changed must not pass for a finished one if we are cut off.
    """
    (root / MARKER).unlink(missing_ok=True)
    if stale:
        log.warning("Removing %d sample pictures in %s that were made with other settings", len(stale), root)
    for path in (*(root / path for path in stale), *root.glob(f"*/{UNFINISHED}")):
        path.unlink()
    for folder in ANIMALS10_FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
