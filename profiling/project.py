"""What the repository says of itself: code and tests by room, coverage, contracts, pins, and what imports cost.

    python profiling/project.py

Coverage is that of the last `invoke test` on this machine, if its data is still there. The rest takes a minute, most of
it to collect the tests. What comes out: reports/project.json.
"""

import argparse
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from machine import cpu_name, system_name

from animals.cli import exit_on_error
from animals.errors import AnimalsError

ROOT: Final = Path(__file__).parents[1]
OUT: Final = Path("reports", "project.json")
SOURCE: Final = ROOT / "src" / "animals"
IMPORTS: Final = {
    "backend": "animals.serving.app",
    "page": "animals.frontend.app",
    "report function, without Evidently": "animals.monitoring.main",
    "training": "animals.training.pipeline",
}
"""Service -> module that its process imports."""

ABOUT: Final = "the modules that all share"


def main() -> None:
    """Look, write and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT, help=f"[{OUT}]")
    arguments = parser.parse_args()
    with exit_on_error():
        report: dict[str, Any] = {
            "command": shlex.join(["python", "profiling/project.py", *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpu": cpu_name(),
            "system": system_name(),
            "rooms": rooms(),
            "tests": tests(),
            "coverage": coverage(),
            "contracts": contracts(),
            "pinned": pinned(),
            "workflows": workflows(),
            "imports": {name: import_seconds(module) for name, module in IMPORTS.items()},
        }
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"{report['tests']['all']} tests, {sum(room['lines'] for room in rooms().values())} lines of code\n"
    )


def rooms() -> dict[str, dict[str, int]]:
    """Files and lines of code of each room, blank lines left out, and its longest file."""
    found: dict[str, dict[str, int]] = {}
    for name, paths in _folders():
        lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in paths]
        lines = sum(bool(line.strip()) for path in paths for line in path.read_text(encoding="utf-8").splitlines())
        found[name] = {"files": len(paths), "lines": lines, "longest": max(lengths, default=0)}
    return found


def _folders() -> Iterator[tuple[str, list[Path]]]:
    yield ABOUT, sorted(SOURCE.glob("*.py"))
    for folder in sorted(path for path in SOURCE.iterdir() if (path / "__init__.py").is_file()):
        yield folder.name, sorted(folder.rglob("*.py"))
    yield "tests", sorted((ROOT / "tests").rglob("*.py"))
    yield "benchmarks", sorted((ROOT / "profiling").rglob("*.py"))


def tests() -> dict[str, int]:
    """How many there are in each folder of tests/, and in all.

    Raises:
        AnimalsError: they cannot be collected.
    """
    done = _output(sys.executable, "-m", "pytest", "--collect-only", "-q", "--no-header")
    counted: dict[str, int] = {}
    for line in done.splitlines():
        if found := re.match(r"tests/(?:(\w+)/)?[\w/]*\w+\.py::", line):
            room = found[1] or ABOUT
            counted[room] = counted.get(room, 0) + 1
    return {**dict(sorted(counted.items())), "all": sum(counted.values())}


def coverage() -> dict[str, Any]:
    """Per cent of lines and branches that the last whole run of the tests went through, if the code is still that one.

    Returns:
        `percent` and `day`, None where that is not known, and the `least` that a run of the tests takes.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    least = settings["tool"]["coverage"]["report"]["fail_under"]
    data = ROOT / ".coverage"
    newest = max(path.stat().st_mtime for path in SOURCE.rglob("*.py"))
    if not data.is_file() or data.stat().st_mtime < newest:
        return {"percent": None, "day": None, "least": least}
    found = json.loads(_output(sys.executable, "-m", "coverage", "json", "-q", "-o", "-"))
    day = datetime.fromtimestamp(data.stat().st_mtime, UTC).date()
    return {"percent": found["totals"]["percent_covered"], "day": day.isoformat(), "least": least}


def contracts() -> list[str]:
    """Names of the import contracts."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [it["name"] for it in settings["tool"]["importlinter"]["contracts"]]


def pinned() -> dict[str, int]:
    """Packages in each requirements file."""
    return {
        path.name: sum("==" in line for line in path.read_text(encoding="utf-8").splitlines() if line[:1].isalpha())
        for path in sorted(ROOT.glob("requirements*.txt"))
    }


def workflows() -> dict[str, list[str]]:
    """Each workflow, and what starts it."""
    import yaml

    found = {}
    for path in sorted((ROOT / ".github" / "workflows").glob("*.yml")):
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        found[path.name] = sorted(read[True])  # YAML takes `on` for true
    return found


def import_seconds(module: str) -> dict[str, float]:
    """Seconds of CPU and MB that a module's import takes: the least of three processes."""
    script = (
        "import importlib, json, psutil, time\n"
        f"importlib.import_module({module!r})\n"
        "print(json.dumps([time.process_time(), psutil.Process().memory_info().rss / 1e6]))\n"
    )
    runs = [json.loads(_output(sys.executable, "-c", script).splitlines()[-1]) for _ in range(3)]
    return {"seconds": min(run[0] for run in runs), "megabytes": min(run[1] for run in runs)}


def _output(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)  # noqa: S603 - ours
    if done.returncode:
        raise AnimalsError(f"{shlex.join(command)} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout


if __name__ == "__main__":
    main()
