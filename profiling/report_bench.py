"""How long a report takes, and how much memory, as the feedback grows.

    python profiling/report_bench.py

Each part runs in a process of its own on one CPU, on a bucket that is a folder, or Google Cloud Storage's emulator on
another CPU for the first reading. What came out: reports/report_speed.md.
"""

import argparse
import importlib
import json
import os
import resource  # it measures what a container of Linux takes, and runs there
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from machine import confined, cpu_name, in_own_process, system_name, two_sides
from report_records import DAYS, NOW, made_up, publish, write_loose

from animals.monitoring.record_types import FEEDBACK, PREDICTIONS
from animals.monitoring.tables import to_parquet
from animals.storage import open_storage

OUT: Final = Path("reports", "report_speed.json")
NEW: Final = 1000
LOOSE: Final = 10_000
MIB: Final = 2**20
REACH: Final = {"seconds": 15.0, "memory": 1024, "first_seconds": 60.0}
"""What it should keep to, in seconds and MiB."""


def main() -> int:
    """Measure, write and show; the exit code is 1 if the reach is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--records", type=int, nargs="+", default=[100_000, 400_000], help="compacted already [100000 400000]"
    )
    parser.add_argument("--new", type=int, default=NEW, help=f"not compacted yet [{NEW}]")
    parser.add_argument("--loose", type=int, default=LOOSE, help=f"that are read for the first time [{LOOSE}]")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    sides = two_sides()
    with tempfile.TemporaryDirectory() as folder:
        report: dict[str, Any] = {
            "command": " ".join(["python", "profiling/report_bench.py", *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpu": cpu_name(),
            "system": system_name(),
            "evidently": version("evidently"),
            "new": arguments.new,
            "grown": [
                grown(Path(folder, str(records)), records, arguments.new, sides) for records in arguments.records
            ],
            "first": first_reading(Path(folder, "emulator"), arguments.loose, sides),
        }
    report["load"] = os.getloadavg()[1]  # as above
    report["kept"] = kept(report)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    arguments.out.with_suffix(".md").write_text(markdown(report), encoding="utf-8")
    sys.stdout.write(markdown(report))
    return 0 if report["kept"] else 1


def grown(folder: Path, records: int, new: int, sides: tuple[set[int], set[int]] | None) -> dict[str, Any]:
    """A report on so many compacted records of each kind, and on so many new judgements."""
    storage = open_storage(str(folder))
    publish(storage)
    for kind in (FEEDBACK, PREDICTIONS):
        for ago in range(DAYS):
            day = NOW - timedelta(days=ago)
            table = made_up(kind, records // DAYS, day)
            storage.write(kind.compacted(day.date()), to_parquet(table))
    write_loose(storage, new)
    with confined(sides and sides[0]):
        whole = in_own_process(whole_report, storage.url)
        summary = in_own_process(summary_alone, storage.url)
    return {"records": records, "whole": whole, "summary": summary}


def first_reading(folder: Path, loose: int, sides: tuple[set[int], set[int]] | None) -> dict[str, Any]:
    """The first summary of so many judgements, none of which is compacted yet."""
    sys.path.append(str(Path(__file__).parents[1]))
    from tests.support.emulator import Emulator

    folder.mkdir()
    with confined(sides and sides[1]), Emulator(folder) as emulator:
        os.environ["STORAGE_EMULATOR_HOST"] = emulator.url
        url = f"gs://{emulator.make_bucket()}"
        storage = open_storage(url)
        publish(storage)
        write_loose(storage, loose)
        with confined(sides and sides[0]):
            return {"records": loose, **in_own_process(summary_alone, url)}


def whole_report(url: str) -> dict[str, Any]:
    """Seconds and memory of each part of a report, in this process."""
    clock = _Clock()
    with clock.part("import"):
        importlib.import_module("animals.monitoring.evidently_pages")
    from animals.monitoring.report import build_report, make_files, store, zip_files

    storage = open_storage(url)
    with clock.part("find"):
        built = build_report(storage, DAYS, created=NOW)
    with clock.part("render"):
        files = make_files(built)
    with clock.part("store"):
        store(storage, built.summary, files, latest=True)
        size = len(zip_files(files))
    return {**clock.parts, "zip": size, "feedback": built.summary.feedback.records}


def summary_alone(url: str) -> dict[str, Any]:
    """The same for the summary, without Evidently."""
    clock = _Clock()
    with clock.part("import"):
        from animals.monitoring.report import build_report
    with clock.part("find"):
        built = build_report(open_storage(url), DAYS, created=NOW)
    if "evidently" in sys.modules:
        raise AssertionError("Evidently was imported.")
    return {**clock.parts, "feedback": built.summary.feedback.records}


class _Clock:
    def __init__(self) -> None:
        self.parts: dict[str, dict[str, float]] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        before = time.perf_counter(), time.process_time()
        yield
        self.parts[name] = {
            "seconds": time.perf_counter() - before[0],
            "cpu": time.process_time() - before[1],
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB,
        }


def rest(whole: dict[str, Any]) -> float:
    """Seconds beyond Evidently's import and rendering."""
    return float(whole["find"]["seconds"] + whole["store"]["seconds"])


def kept(report: dict[str, Any]) -> bool:
    """Whether all of it is within reach."""
    return (
        all(rest(part["whole"]) < REACH["seconds"] for part in report["grown"])
        and all(part["whole"]["store"]["peak"] < REACH["memory"] for part in report["grown"])
        and report["first"]["find"]["seconds"] < REACH["first_seconds"]
    )


def markdown(report: dict[str, Any]) -> str:
    """Two tables and a few sentences."""
    first, found = report["first"]["records"], report["first"]["find"]
    lines = [
        "# How long a report takes",
        "",
        f"`{report['command']}`, {report['date']}; {report['cpu']}, {report['system']}, "
        f"Evidently {report['evidently']}. Each report in a process of its own on one CPU, over {DAYS} days: so many "
        f"judgements and as many answers, compacted before, and {report['new']:,} new judgements as single objects in "
        "a folder. Seconds by the clock, those of the CPU in brackets; the most memory in MiB. "
        f"{report['load']:.1f} processes wanted a CPU meanwhile, in the mean of five minutes.",
        "",
        "| compacted | reading, s | storing, s | Evidently's import, s | rendering, s | memory | zip, MB |",
        "|---:|---:|---:|---:|---:|---:|---:|",
        *(_grown_line(part["records"], part["whole"]) for part in report["grown"]),
        "",
        "The summary alone (`?format=json`), which does not import Evidently:",
        "",
        "| compacted | reading, s | memory |",
        "|---:|---:|---:|",
        *(_summary_line(part["records"], part["summary"]) for part in report["grown"]),
        "",
        f"The first reading of {first:,} loose judgements from the emulator of Google Cloud Storage, which ran on "
        f"another CPU, took {_seconds(found)} s with compaction, and {found['peak']:.0f} MiB.",
        "",
        f"Within reach ({REACH['seconds']:.0f} s beyond Evidently's import and rendering, {REACH['memory']} MiB, first "
        f"reading {REACH['first_seconds']:.0f} s): {'yes' if report['kept'] else 'NO'}.",
    ]
    return "\n".join(lines) + "\n"


def _grown_line(records: int, whole: dict[str, Any]) -> str:
    seconds = " | ".join(_seconds(whole[part]) for part in ("find", "store", "import", "render"))
    return f"| {records:,} | {seconds} | {whole['store']['peak']:.0f} | {whole['zip'] / 1e6:.1f} |"


def _summary_line(records: int, summary: dict[str, Any]) -> str:
    return f"| {records:,} | {_seconds(summary['find'])} | {summary['find']['peak']:.0f} |"


def _seconds(part: dict[str, float]) -> str:
    return f"{part['seconds']:.1f} ({part['cpu']:.1f})"


if __name__ == "__main__":
    sys.exit(main())
