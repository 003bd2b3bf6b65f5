"""The parts of the page on code, tests, pins, workflows and images."""

from pathlib import Path
from typing import Any, Final

from machine import spread
from results import made_by, read_json
from tabular import table

CONTAINERS: Final = "python profiling/containers.py data/bucket data/sample"
PROJECT: Final = "python profiling/project.py"
SHARED: Final = "the modules that all share"
OTHERS: Final = ("tests", "benchmarks")


def code(reports: Path) -> list[str]:
    """Files, lines and tests of each room."""
    found = _project(reports)
    rooms, tests = found["rooms"], found["tests"]
    folders = {**{name: name for name in rooms}, "benchmarks": "profiling"}
    rows = [
        [
            f"`{name}`" if name not in (SHARED, *OTHERS) else name,
            f"{room['files']}",
            f"{room['lines']:,}",
            f"{room['longest']}",
            f"{tests[folders[name]]:,}" if folders[name] in tests else "",
        ]
        for name, room in rooms.items()
    ]
    kinds = [room for name, room in rooms.items() if name not in OTHERS]
    total = [f"{sum(room[key] for room in kinds):,}" for key in ("files", "lines")]
    longest = str(max(room["longest"] for room in kinds))
    rows.append(["**the code together**", *total, longest, f"{tests['all']:,}"])
    head = ["", "files", "lines of code", "longest file", "tests"]
    return [*table(head, rows), "", made_by(found)]


def tests(reports: Path) -> list[str]:
    """How many, and what they cover."""
    found = _project(reports)
    coverage = found["coverage"]
    rows = [["tests", f"{found['tests']['all']:,}"]]
    if coverage["percent"] is not None:
        rows.append([f"lines and branches covered ({coverage['day']})", f"{coverage['percent']:.1f} %"])
    rows += [
        ["coverage below which a run of the tests fails", f"{coverage['least']:g} %"],
        ["import contracts", str(len(found["contracts"]))],
    ]
    names = "; ".join(found["contracts"])
    return [*table(["", ""], rows), "", f"The contracts: {names}.", "", made_by(found)]


def workflows(reports: Path) -> list[str]:
    """What runs at GitHub, and when."""
    found = _project(reports)
    rows = [[f"`{name}`", ", ".join(events).replace("_", " ")] for name, events in found["workflows"].items()]
    return [*table(["workflow", "starts at"], rows, text=2), "", made_by(found)]


def pins(reports: Path) -> list[str]:
    """What each image installs, and what importing it takes."""
    found = _project(reports)
    rows = [[f"`{name}`", str(count)] for name, count in found["pinned"].items()]
    costs = [[name, f"{it['seconds']:.1f}", f"{it['megabytes']:.0f}"] for name, it in found["imports"].items()]
    return [
        *table(["pinned in", "packages"], rows),
        "",
        *table(["importing", "s of CPU", "MB"], costs),
        "",
        made_by(found),
    ]


def containers(reports: Path) -> list[str]:
    """The images; where no container tool was at hand there are no figures of them."""
    path = reports / "containers.json"
    if not path.is_file():
        return [f"Not measured yet, for which Docker or podman is needed: `{CONTAINERS}`"]
    found = read_json(path, CONTAINERS)
    rows = [
        [
            f"`{image['name']}`",
            f"{image['megabytes']:,.0f}",
            f"{image['above_base']:,.0f}",
            _rounded(image["changed_seconds"]),
            spread(image["starts_seconds"], "{:.1f}"),
            _rounded(image["idle_megabytes"]),
            _rounded(image["loaded_megabytes"]),
        ]
        for image in found["images"]
    ]
    head = ["image", "MB", "above its base, MB", "built after a change, s", "start to first answer, s"]
    facts = {**found, "command": CONTAINERS, "date": found["created"], "cpu": found["processor"]}
    note = f"; {found['load']:.0f} processes wanted the CPUs*; [the whole page](containers.md)"
    return [*table([*head, "memory then, MB", "after work, MB"], rows), "", made_by(facts).removesuffix("*") + note]


def _rounded(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _project(reports: Path) -> dict[str, Any]:
    return read_json(reports / "project.json", PROJECT)
