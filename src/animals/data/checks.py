"""`animals data --check [OVERRIDE]...`: what is wrong with the pictures, and what to do about it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from animals.config.compose import compose_train_config
from animals.data.contact_sheet import contact_sheet
from animals.data.findings import KINDS, UNREADABLE, Finding, Kind, find_all
from animals.data.load import Inspected, inspect_folder, spec_without_model
from animals.errors import StorageUnavailable
from animals.markdown import BAR

CHECKS: Final = Path("data/checks")
"""Folder of a folder for each root that was checked."""

SHOWN: Final = 64
"""Pictures, at most, on the contact sheet."""

COLUMNS: Final = ("Finding", "Count", "For example", "What to do")


def main(overrides: Sequence[str]) -> None:
    """Check the pictures that a training with the same overrides would see.

    Shows a table, and writes it with all findings and a sheet of the worst into `data/checks/<root's name>/`.

    Raises:
        SystemExit: with 1, when something would spoil a training.
        DataError: the folder cannot be used as it is.
        StorageUnavailable: the disk is full or may not be written to.
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
    console.print(headline(inspected), markup=False, soft_wrap=True)
    if findings:
        console.print(_table(findings))
    console.print(verdict(findings), f"Report: {folder}", sep="\n", markup=False, soft_wrap=True)
    if any(finding.kind.spoils for finding in findings):
        raise SystemExit(1)


def headline(inspected: Inspected) -> str:
    """What was looked at."""
    labels = {file.label for file in inspected.files}
    return f"{inspected.root.as_posix()}: {len(inspected.files):,} files, {len(labels)} labels"


def verdict(findings: Sequence[Finding]) -> str:
    """What it comes to, in a sentence."""
    if not findings:
        return "Nothing found."
    spoiling = [kind.name for kind in KINDS if kind.spoils and any(it.kind == kind for it in findings)]
    return f"This would spoil a training: {', '.join(spoiling)}." if spoiling else "Training copes with all of this."


def write_report(folder: Path, inspected: Inspected, findings: Sequence[Finding]) -> None:
    """Write `findings.csv`, `findings.md` and `findings.png` in place of what an earlier check left there."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "findings.md").write_text(markdown(inspected, findings), encoding="utf-8")
    with (folder / "findings.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "name", "label", "detail", "group"])
        writer.writerows([it.kind.name, it.name, it.label, it.detail, it.group] for it in findings)
    (folder / "findings.png").unlink(missing_ok=True)
    if visible := _visible(findings)[:SHOWN]:
        contact_sheet([inspected.root / name for name in visible]).save(folder / "findings.png")


def _visible(findings: Sequence[Finding]) -> list[str]:
    """Names of the readable pictures, the worst first, each once and duplicates beside each other."""
    together: dict[str, list[str]] = {}
    for finding in findings:
        if finding.name and finding.kind != UNREADABLE:
            together.setdefault(finding.group or finding.name, []).append(finding.name)
    return list(dict.fromkeys(name for names in together.values() for name in names))


def markdown(inspected: Inspected, findings: Sequence[Finding]) -> str:
    """The table for a comment on a pull request."""
    rows = [COLUMNS, ("---", "--:", "---", "---"), *_rows(findings)]
    table = "\n".join(f"| {' | '.join(cell.replace('|', BAR) for cell in row)} |" for row in rows)
    blocks = [f"### {headline(inspected)}", *([table] if findings else []), verdict(findings)]
    return "\n\n".join(blocks) + "\n"


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(*COLUMNS)
    table.columns[1].justify = "right"
    for row in _rows(findings):
        table.add_row(*map(escape, row))
    return table


def _rows(findings: Sequence[Finding]) -> list[tuple[str, str, str, str]]:
    """One row for each kind that was found: its cells."""
    found: dict[Kind, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.kind, []).append(finding)
    return [(kind.name, f"{len(these):,}", _example(these[0]), kind.advice) for kind, these in found.items()]


def _example(finding: Finding) -> str:
    return " ".join(f"{finding.name or finding.label}: {finding.detail}".split())
