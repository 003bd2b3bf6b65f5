"""The parts of the page on training and on what versions are worth."""

import re
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from machine import spread
from results import made_by, read_json, read_text
from tabular import grid, rows, table, tables

from animals.errors import DataError

TRAINING: Final = {
    side: (
        f"python profiling/training_bench.py data/sample --side {side} --steps {steps}"
        f"{more} --out reports/training_speed_{side}.json"
    )
    for side, steps, more in (("64", 25, ""), ("224", 12, " --warmup 3"))
}
SAMPLE: Final = "python profiling/sample_run.py"
DEFAULTS: Final = "python profiling/training_defaults.py --photographs FOLDER --epochs 8"
DRIFT: Final = "python profiling/drift_experiment.py --seed 2"

VARIANTS: Final = {
    "plain": "plain: Pillow and torchvision, fp32, Adam",
    "timm": "timm's loader, a minimal loop",
    "ours": "**this trainer**",
    "ceiling": "the network alone, on a batch in memory",
}


def training(reports: Path) -> list[str]:
    """Pictures a second beside others, at both sizes."""
    found = {side: read_json(reports / f"training_speed_{side}.json", command) for side, command in TRAINING.items()}
    sides = {side: report["sides"][side] for side, report in found.items()}
    lines = [
        [words, *(cell for part in sides.values() for cell in _beside(part, name))] for name, words in VARIANTS.items()
    ]
    head = ["", *(cell for side in sides for cell in (f"{side} pixels, pictures a second", "this trainer /"))]
    made = [line for report in found.values() for line in ("", made_by(report))]
    return [*table(head, lines), *made]


def _beside(part: dict[str, Any], name: str) -> list[str]:
    rates = [run[name]["pictures_per_second"] for run in part["runs"]]
    return [f"{statistics.median(rates):.1f}", spread(part["ratios"].get(name, []), "{:.2f}")]


def sample(reports: Path) -> list[str]:
    """What the sample's version is worth, and under which conditions."""
    text = read_text(reports / "sample" / "report.md", SAMPLE)
    version = re.search(r"^# What (\S+) is worth", text, re.MULTILINE)
    if version is None:
        raise DataError(f"{reports / 'sample' / 'report.md'} names no version. Make it anew: {SAMPLE}")
    kept = [row for row in grid(tables(text)[0])[1:] if row[0] not in ("Its card says", "Compared")]
    changes = next(it for it in tables(text) if it[0].startswith("| when"))
    kept += [[f"Answers that change when {row['when']}", row["answers that change"]] for row in rows(changes)]
    made = f"*`{SAMPLE}`, by `invoke train` and `invoke evaluate`; version {version[1]}, ranges are 95 % intervals*"
    return [*table(["", ""], kept, text=2), "", made]


def defaults(reports: Path) -> list[str]:
    """What each default gains, as its command wrote it."""
    text = read_text(reports / "training_defaults.md", DEFAULTS)
    command = re.search(r"^`([^`]+)`", text, re.MULTILINE)
    return [*tables(text)[0], "", f"*`{command[1] if command else DEFAULTS}`*"]


def drift(reports: Path) -> list[str]:
    """In how many weeks there was an alarm."""
    found = read_json(reports / "drift.json", DRIFT)
    setting = found["setting"]
    kinds = [kind for kind in found["kinds"] if len(kind["weeks"]) > 1]
    sizes = list(kinds[0]["weeks"])
    lines = [[kind["name"], f"{kind['accuracy']:.1%}", *_weeks(kind, sizes)] for kind in kinds]
    head = ["pictures", "right", *(f"alarms in weeks of {size}" for size in sizes)]
    return [*table(head, lines), "", f"*`{setting['command']}`, {setting['cpu']}, {setting['system']}*"]


def _weeks(kind: dict[str, Any], sizes: Sequence[str]) -> list[str]:
    return [f"{kind['fired'][size]} of {kind['weeks'][size]}" for size in sizes]
