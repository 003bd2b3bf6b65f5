"""`invoke data --check`: report what is wrong with the pictures, and what to do about it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from animals import markdown
from animals.config.compose import compose_train_config
from animals.data.contact_sheet import contact_sheet
from animals.data.findings import FINDING_TYPES, UNREADABLE, Finding, FindingType, find_all
from animals.data.load import InspectedFolder, inspect_folder, spec_without_model
from animals.errors import StorageUnavailable

CHECKS: Final = Path("data/checks")
"""Folder of the reports, with a folder for each data set."""

MAX_SHOWN: Final = 64
"""Pictures on the contact sheet."""

COLUMNS: Final = ("Finding", "Count", "For example", "What to do")


def main(overrides: Sequence[str]) -> None:
    """Check the pictures that a training with the same overrides would use.

    Prints a table, and writes it with all findings and a sheet of the worst into `data/checks/<name of the root>/`.

    Raises:
        SystemExit: with 1, if a training would fail or learn something wrong.
        DataError: the folder cannot be used.
        StorageUnavailable: the disk is full or not writable.
    """
    config = compose_train_config(overrides).data
    inspected = inspect_folder(config, spec_without_model(config))
    findings = find_all(inspected, config)
    folder = CHECKS / inspected.root.resolve().name
    try:
        write_report(folder, inspected, findings)
    except OSError as error:
        raise StorageUnavailable(f"The findings could not be written into {folder}: {error}.") from error
    console = Console(highlight=False)
    console.print(_headline(inspected), markup=False, soft_wrap=True)
    if findings:
        table = Table(*COLUMNS)
        table.columns[1].justify = "right"
        for row in _rows(findings):
            table.add_row(*map(escape, row))
        console.print(table)
    console.print(_verdict(findings), f"Report: {folder}", sep="\n", markup=False, soft_wrap=True)
    if any(finding.type.blocking for finding in findings):
        raise SystemExit(1)


def write_report(folder: Path, inspected: InspectedFolder, findings: Sequence[Finding]) -> None:
    """Write `findings.csv`, `findings.md` and `findings.png`, replacing those of an earlier check."""
    folder.mkdir(parents=True, exist_ok=True)
    table = [markdown.table(COLUMNS, _rows(findings))] if findings else []
    blocks = [f"### {_headline(inspected)}", *table, _verdict(findings)]
    (folder / "findings.md").write_text("\n\n".join(blocks) + "\n", encoding="utf-8")
    with (folder / "findings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "label", "detail", "group"])
        writer.writerows([it.type.name, it.name, it.label, it.detail, it.group] for it in findings)
    (folder / "findings.png").unlink(missing_ok=True)
    if visible := _visible(findings)[:MAX_SHOWN]:
        contact_sheet([inspected.root / name for name in visible]).save(folder / "findings.png")


def _headline(inspected: InspectedFolder) -> str:
    labels = {file.label for file in inspected.files}
    return f"{inspected.root.as_posix()}: {len(inspected.files):,} files, {len(labels)} labels"


def _verdict(findings: Sequence[Finding]) -> str:
    if not findings:
        return "Nothing found."
    blocking = [kind.name for kind in FINDING_TYPES if kind.blocking and any(it.type == kind for it in findings)]
    return f"Fix this before training: {', '.join(blocking)}." if blocking else "Training handles all of this."


def _visible(findings: Sequence[Finding]) -> list[str]:
    """Return the names of readable pictures, the worst first, each once and duplicates next to each other."""
    groups: dict[str, list[str]] = {}
    for finding in findings:
        if finding.name and finding.type != UNREADABLE:
            groups.setdefault(finding.group or finding.name, []).append(finding.name)
    return list(dict.fromkeys(name for names in groups.values() for name in names))


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    """Return the cells of a row for each type of finding."""
    by_type: dict[FindingType, list[Finding]] = {}
    for finding in findings:
        by_type.setdefault(finding.type, []).append(finding)
    return [(kind.name, f"{len(some):,}", _example(some[0]), kind.advice) for kind, some in by_type.items()]


def _example(finding: Finding) -> str:
    return " ".join(f"{finding.name or finding.label}: {finding.detail}".split())
