"""What was measured in this repository, read from the files that the measuring commands left in reports/."""

import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from results import read_json

from animals.errors import DataError

ALERTS: Final = Path(__file__).parents[2] / "cloudbuild_files" / "alerts"

COMMANDS: Final = {
    "serving_speed.json": "python profiling/serving_bench.py --others --seconds 4",
    "report_speed.json": "python profiling/report_bench.py",
    "training_speed_224.json": (
        "python profiling/training_bench.py data/sample --side 224 --steps 12 --warmup 3 "
        "--out reports/training_speed_224.json"
    ),
    "sizes.json": "python profiling/sizes.py",
}
"""File -> what makes it."""

WORDS: Final = {
    "classify": "seconds of an answer, alone",
    "rate": "answers a second, with enough to do",
    "start": "seconds from a start to the first answer",
    "report": "seconds of a report without records",
    "summary": "seconds of a summary without records",
    "per_record": "seconds that each answer of the last week adds to them",
    "compact": "seconds to move one new judgement into its table",
    "report_zip": "bytes of a report's zip",
    "train_rate": "pictures a second of a training at 224 pixels, on two CPUs",
    "alerts": "alert policies, of one condition each",
    "answer": "bytes of an answer with its headers",
    "logged": "bytes of an answer in the prediction log",
    "judgement": "bytes of a judgement",
    "kept_picture": "bytes of a picture that is kept, of one with 4000x3000",
    "log_line": "bytes that the service logs of a request",
    "version": "bytes of a version",
    "visit": "bytes that a browser fetches for its first answer on the page",
    "visit_requests": "requests in which it does so",
    "again": "bytes that it fetches the next time",
    "again_requests": "requests of that",
}
"""What each figure is."""


@dataclass(kw_only=True, slots=True, frozen=True)
class Sizes:
    """Bytes, as the real services wrote and sent them; `WORDS` says of what."""

    answer: float
    logged: float
    judgement: float
    kept_picture: float
    log_line: float
    version: float
    visit: float
    visit_requests: float
    again: float
    again_requests: float


@dataclass(kw_only=True, slots=True, frozen=True)
class Measured:
    """Seconds on one CPU, and bytes; `WORDS` says of what."""

    classify: float
    rate: float
    start: float
    report: float
    summary: float
    per_record: float
    compact: float
    report_zip: float
    train_rate: float
    alerts: int
    sizes: Sizes


def read_measured(folder: Path) -> Measured:
    """All of it.

    Raises:
        DataError: a file is missing or is not what its command writes; the message names the command.
    """
    serving = [run["ours"] for run in _read(folder, "serving_speed.json")["runs"]]
    reports = _read(folder, "report_speed.json")
    training = _read(folder, "training_speed_224.json")["sides"]["224"]["runs"]
    whole, summary = ([part[kind] for part in reports["grown"]] for kind in ("whole", "summary"))
    records = [part["records"] for part in reports["grown"]]
    per_record = _slope(records, [part["find"]["seconds"] for part in whole])
    fixed = [_seconds(part) - per_record * count for part, count in zip(whole, records, strict=True)]
    fixed_summary = [_seconds(part) - per_record * count for part, count in zip(summary, records, strict=True)]
    sizes = _read(folder, "sizes.json")["bytes"]
    return Measured(
        classify=statistics.median(run["clients"]["1"]["p50"] for run in serving) / 1000,
        rate=statistics.median(run["clients"]["8"]["pictures_per_second"] for run in serving),
        start=statistics.median(run["cold_start"] for run in serving),
        report=max(fixed),
        summary=max(0.0, *fixed_summary),
        per_record=per_record,
        compact=reports["first"]["find"]["seconds"] / reports["first"]["records"],
        report_zip=max(part["zip"] for part in whole),
        train_rate=statistics.median(run["ours"]["pictures_per_second"] for run in training),
        alerts=len(list(ALERTS.glob("*.yaml"))),
        sizes=_sizes(sizes),
    )


def _sizes(found: Mapping[str, float]) -> Sizes:
    try:
        return Sizes(**found)
    except TypeError as error:
        command = COMMANDS["sizes.json"]
        raise DataError(f"reports/sizes.json is of another version ({error}). Make it anew: {command}") from error


def _read(folder: Path, name: str) -> dict[str, Any]:
    return read_json(folder / name, COMMANDS[name])


def _seconds(parts: Mapping[str, Any]) -> float:
    """Of all parts of a report together."""
    return float(sum(part["seconds"] for part in parts.values() if isinstance(part, dict)))


def _slope(records: list[int], seconds: list[float]) -> float:
    """Seconds a record, between the smallest and the largest measurement."""
    more = records[-1] - records[0]
    return max(0.0, (seconds[-1] - seconds[0]) / more) if more else 0.0


def as_numbers(measured: Measured) -> dict[str, float]:
    """All figures in one flat table."""
    found = asdict(measured)
    return {**{name: value for name, value in found.items() if name != "sizes"}, **found["sizes"]}
