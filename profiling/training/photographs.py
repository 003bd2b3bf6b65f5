"""Train on a folder of photographs in three ways, and compare time and quality.

    python -m profiling.training.photographs path/to/pictures [--external path/to/others] [--minutes 5]

From scratch, with a head on a frozen network, and with the network tuned after the head. Each is a run of
`animals train` with a cache of its own, timed from the command to the published version.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from animals import registry
from animals.cli import exit_on_error
from animals.errors import AnimalsError
from animals.markdown import table
from animals.records import Card
from animals.storage import FolderStorage
from animals.training.evaluation.statistics import format_share, share
from profiling.results import conditions, heading, write

OUT: Final = Path("reports", "photographs.json")


@dataclass(frozen=True, slots=True)
class Row:
    """One way to train."""

    name: str
    overrides: str
    seconds: float
    """From the command to the published version."""
    card: Card

    def summary(self) -> dict[str, Any]:
        """Return what the report shows, for JSON; the card's configuration would name this machine's folders."""
        shown = {"architecture", "metrics", "calibration", "quantized", "training", "external_test"}
        card = self.card.model_dump(mode="json", include=shown, exclude={"external_test": {"folder"}})
        return {"name": self.name, "overrides": self.overrides, "seconds": self.seconds, "card": card}


def main() -> None:
    """Train in all ways, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of label folders")
    parser.add_argument("--external", type=Path, help="label folders from another source, for a second test")
    parser.add_argument("--minutes", type=float, default=5, help="for a training from scratch, and for tuning [5]")
    parser.add_argument("--out", type=Path, default=OUT, help=f"[{OUT}]")
    arguments = parser.parse_args()
    ways = {
        "from scratch": f"method=full trainer.minutes={arguments.minutes:g}",
        "a head": "tune=never",
        "a head, then tuned": f"trainer.minutes={arguments.minutes:g}",
    }
    with exit_on_error():
        rows = [train(name, overrides, arguments.folder, arguments.external) for name, overrides in ways.items()]
        result = {**conditions(), "rows": [row.summary() for row in rows]}
        write(result, page(result, rows), arguments.out)


def train(name: str, overrides: str, folder: Path, external: Path | None) -> Row:
    """Train in one way, in an empty folder.

    Raises:
        AnimalsError: the training failed.
    """
    words = [f"data.root={folder.resolve()}", "tracking.mode=disabled", *overrides.split()]
    if external:
        words.append(f"data.external_test={external.resolve()}")
    command = [sys.executable, "-m", "animals", "train", "experiment=folder", *words]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as work:
        started = time.monotonic()
        code = subprocess.run(command, cwd=work, env={**os.environ, "ANIMALS_BUCKET": "bucket"}, check=False).returncode  # noqa: S603 - ours
        seconds = time.monotonic() - started
        if code:
            raise AnimalsError(f"The training {name} ended with {code}; its output is above.")
        storage = FolderStorage(Path(work) / "bucket")
        card = registry.read_card(storage, registry.read_current(storage).version)
    return Row(name, f"experiment=folder {overrides}", seconds, card)


def page(result: dict[str, Any], rows: list[Row]) -> str:
    """Return the report in Markdown."""
    card = rows[0].card
    counts, external = card.split.counts, card.external_test
    head = ["", "network", "time", "test accuracy", "macro F1", "calibration error", "same label in 8 bits"]
    cells = [_cells(row) for row in rows]
    if external:
        head.append("accuracy on other pictures")
    settings = "\n".join(f"- {row.name}: `{row.overrides}`; {_tuned(row.card)}" for row in rows)
    others = f", {external.pictures} from another source" if external else ""
    return f"""\
{heading("Photographs", result)}

{len(card.labels)} labels; pictures: {counts["train"]} to train on, {counts["val"]} to choose with, {counts["test"]} to
test with{others}. Time is from the command to the published version. Intervals are Wilson's at 95 %.

{table(head, cells)}

{settings}
"""


def _cells(row: Row) -> list[str]:
    card = row.card
    cells = [
        row.name,
        f"{card.architecture}, {card.input.side} pixels",
        f"{row.seconds:.0f} s",
        _share(card.metrics.accuracy, card.metrics.pictures),
        f"{card.metrics.f1_macro:.3f}",
        f"{card.calibration.ece_after:.1%}",
        "not convertible" if card.quantized.same_label is None else f"{card.quantized.same_label:.1%}",
    ]
    if card.external_test:
        cells.append(_share(card.external_test.accuracy, card.external_test.pictures))
    return cells


def _share(part: float, pictures: int) -> str:
    return format_share(share(round(part * pictures), pictures))


def _tuned(card: Card) -> str:
    training = card.training
    if training.frozen:
        return "the head alone is published"
    return f"tuned: {training.tuned}" if training.tuned else f"{training.epochs} epochs"


if __name__ == "__main__":
    main()
