"""How fast this backend is beside a plain one with torch, and beside LitServe and BentoML with the same model.

    python profiling/serving_bench.py --others

Each server runs in a process of its own on one CPU, one after the other, as often as `--repeat` says; the clients run
on the other CPUs. So a machine that gets slower or faster in between does so for all, and each ratio is one of
neighbours. What came out: reports/serving_speed.md.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from machine import confined, cpu_name, system_name, two_sides
from serving_backends import FOREIGN, Candidate, NotInstalled, foreign, ours, plain
from serving_load import at_once
from serving_model import Setup, read_questions
from serving_process import Backend, Server
from serving_report import markdown
from serving_setup import add_options, published

from animals.cli import exit_on_error

OUT: Final = Path("reports", "serving_speed.json")
CAMERA_CLIENTS: Final = 8


def main() -> None:
    """Measure, write and show."""
    arguments = _parser().parse_args()
    with exit_on_error(), published(arguments) as setup:
        report = bench(setup, arguments)
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        arguments.out.with_suffix(".md").write_text(markdown(report), encoding="utf-8")
        sys.stdout.write(markdown(report))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", action="store_true", help="LitServe and BentoML too, installed for this by uv")
    parser.add_argument("--clients", type=int, action="append", help="at once; may be repeated [1, 8, 32 and 64]")
    parser.add_argument("--seconds", type=float, default=4, help="that each number of clients is counted [4]")
    parser.add_argument("--warmup", type=float, default=1, help="seconds before, that are not counted [1]")
    parser.add_argument("--repeat", type=int, default=3, help="times that each server runs [3]")
    add_options(parser, OUT)
    return parser


def bench(setup: Setup, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all servers, again and again."""
    candidates, missing = _candidates(setup, others=arguments.others)
    clients = arguments.clients or [1, 8, 32, 64]
    for candidate in candidates:  # the disk's cache, and compiled bytecode
        _run(candidate.backend, setup, [1], 0.1, 0.1)
    runs = [
        {it.backend.name: _run(it.backend, setup, clients, arguments.warmup, arguments.seconds) for it in candidates}
        for _ in range(arguments.repeat)
    ]
    return {
        "command": shlex.join(["python", "profiling/serving_bench.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "confined": two_sides() is not None,
        "system": system_name(),
        "model": f"{setup.architecture} at {setup.side} pixels",
        "pictures": "photographs" if setup.pictures else "drawn, 300x225",
        "clients": clients,
        "seconds": arguments.seconds,
        "installed": {candidate.backend.name: candidate.installed() for candidate in candidates},
        "missing": missing,
        "runs": runs,
        "ratios": ratios(runs),
    }


def _candidates(setup: Setup, *, others: bool) -> tuple[list[Candidate], dict[str, str]]:
    """The servers, and why others are missing."""
    found, missing = [ours(setup), plain(setup)], {}
    for name in FOREIGN if others else ():
        try:
            found.append(foreign(name, setup))
        except NotInstalled as error:
            missing[name] = str(error)
            sys.stderr.write(f"{name} is left out: {error}\n")
    return found, missing


def _run(backend: Backend, setup: Setup, clients: Sequence[int], warmup: float, seconds: float) -> dict[str, Any]:
    """One server, once, from its start to its end."""
    sides = two_sides()
    server_cpus, client_cpus = sides or (None, None)
    small, camera = (read_questions(setup, backend.kind, size) for size in ("small", "camera"))
    with confined(client_cpus), Server(backend, server_cpus, setup.folder / f"{backend.name}.log") as server:
        run: dict[str, Any] = {"cold_start": server.wait(small[0]), "clients": {}}
        for number in clients:
            tally = at_once(server.url, small, number, warmup=warmup, seconds=seconds)
            run["clients"][str(number)] = tally.summary()
        run["memory"] = server.peak
        run["camera"] = at_once(server.url, camera, CAMERA_CLIENTS, warmup=warmup, seconds=seconds).summary()
        run["memory_camera"] = server.peak
    most = max(found["pictures_per_second"] for found in run["clients"].values())
    sys.stderr.write(f"{backend.name}: started in {run['cold_start']:.2f} s, up to {most:.1f} pictures a second\n")
    return run


def ratios(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[float | None]]]:
    """This backend's pictures a second over each other's in the same repetition, by clients at once."""
    others = [name for name in runs[0] if name != "ours"]
    return {
        other: {
            clients: [_ratio(run["ours"]["clients"][clients], run[other]["clients"][clients]) for run in runs]
            for clients in runs[0]["ours"]["clients"]
        }
        for other in others
    }


def _ratio(ours: dict[str, Any], other: dict[str, Any]) -> float | None:
    rate: float = other["pictures_per_second"]
    return ours["pictures_per_second"] / rate if rate else None


if __name__ == "__main__":
    main()
