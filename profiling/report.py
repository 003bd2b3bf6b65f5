"""The project's own report, reports/README.md: `invoke report`.

What stands there between marks (`<!-- made by: invoke report serving -->`) is written from the results in reports/, as
are its figures; all else was written by people. Without an option everything is measured first, which takes hours.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from figures import load_figure, save, serving_figure, training_figure
from results import read_json
from review import services
from review.blocks import fill
from review.models import TRAINING
from review.sections import PARTS, SECTIONS, Section, shown, words

from animals.cli import exit_on_error
from animals.errors import AnimalsError, DataError, UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = Path("README.md")


def main(given: Sequence[str] | None = None) -> None:
    """List, measure, or only write."""
    arguments = _parser().parse_args(given)
    with exit_on_error():
        if arguments.show:
            sys.stdout.write(listing())
            return
        failed: list[str] = []
        if not arguments.render:
            for section in chosen(arguments.only):
                failed += measure(section, quick=arguments.quick, photographs=arguments.photographs)
        render(arguments.reports)
        if failed:
            raise AnimalsError(f"{', '.join(failed)} failed, see above. The page has the older results.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="invoke report", description=__doc__)
    parser.add_argument("--show", action="store_true", help="show the sections and what measures them")
    parser.add_argument("--render", action="store_true", help="measure nothing, only write from the results")
    parser.add_argument("--only", default="", help="measure these sections: serving,cost")
    parser.add_argument("--quick", action="store_true", help="measure on less, for a look: the results are kept")
    parser.add_argument("--photographs", default="", help="folder of label folders, for the section defaults")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="the folder [reports]")
    return parser


def listing() -> str:
    """Each section with its commands."""
    lines = []
    for name, section in SECTIONS.items():
        lines.append(f"{name}: {section.about}, about {section.minutes} min")
        lines += [f"    {shown(command)}" for command in section.commands]
        if section.quick != section.commands:
            lines += [f"    quick: {shown(command)}" for command in section.quick] or ["    quick: left out"]
    return "\n".join(lines) + "\n"


def chosen(only: str) -> list[Section]:
    """The sections of these names, in the order in which they are measured; all if none is named.

    Raises:
        UsageError: there is none of a name.
    """
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise UsageError(f"There is no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}.")
    return [section for name, section in SECTIONS.items() if name in names or not names]


def measure(section: Section, *, quick: bool, photographs: str) -> list[str]:
    """Run the commands of a section; those that failed."""
    failed = []
    for command in section.quick if quick else section.commands:
        started = words(command, ROOT / "profiling", photographs)
        sys.stdout.write(f"== {shown(command)}{'' if started else ': left out, name a folder with --photographs'}\n")
        sys.stdout.flush()
        if started and subprocess.run(started, cwd=ROOT, check=False).returncode:  # noqa: S603 - ours
            failed.append(shown(command))
    return failed


def render(reports: Path) -> None:
    """Write the parts of the page and its figures."""
    page = reports / PAGE
    page.write_text(fill(page.read_text(encoding="utf-8"), lambda name: part(name, reports)), encoding="utf-8")
    for name, figure in figures(reports).items():
        save(figure, reports / "figures" / f"{name}.png")
    sys.stdout.write(f"Wrote {page}\n")


def part(name: str, reports: Path) -> Sequence[str]:
    """The lines of one part of the page.

    Raises:
        DataError: there is no such part, or no result to make it from.
    """
    if name not in PARTS:
        raise DataError(f"The page has a part {name!r}, which nothing makes; there are {', '.join(PARTS)}.")
    return PARTS[name](reports)


def figures(reports: Path) -> dict[str, "Figure"]:
    """Those that are drawn from results; others are drawn by what measures them."""
    training = {side: read_json(reports / f"training_speed_{side}.json", made) for side, made in TRAINING.items()}
    return {
        "training": training_figure({side: found["sides"][side]["runs"] for side, found in training.items()}),
        "serving": serving_figure(read_json(reports / "serving_speed.json", services.SERVING)),
        "load": load_figure(services.latencies(reports)),
    }


if __name__ == "__main__":
    main()
