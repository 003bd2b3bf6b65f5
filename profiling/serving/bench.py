"""Compare this backend with a plain one with torch, and with LitServe and BentoML with the same model.

    python -m profiling.serving.bench --others --seconds 4      # about eight minutes, five without --others

Each server runs in a process of its own on one CPU, one after the other, as often as `--repeat` says; the clients run
on the other CPUs. A machine that becomes slower in between does so for all servers, and each ratio is taken within one
repetition. Results: reports/serving_speed.md.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from animals.cli import exit_on_error
from profiling.figures import FIGURES, save, serving_figure
from profiling.machine import pinned, separate_cpus
from profiling.options import add_serving_options
from profiling.results import conditions, write
from profiling.serving.bench_report import markdown
from profiling.serving.clients import run_clients
from profiling.serving.model import Setup, read_requests
from profiling.serving.process import Server, ServerCommand
from profiling.serving.servers import OTHERS, ComparedServer, NotInstalled, other_server, plain_server, this_backend
from profiling.serving.setup import prepared

OUT: Final = Path("reports", "serving_speed.json")
CAMERA_CLIENTS: Final = 8


def main() -> None:
    """Measure, write and print."""
    arguments = _parser().parse_args()
    with exit_on_error(), prepared(arguments) as setup:
        result = bench(setup, arguments)
        write(result, markdown(result, arguments.out.stem), arguments.out)
        save(serving_figure(result), FIGURES / f"{arguments.out.stem}.png")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", action="store_true", help="LitServe and BentoML too, installed by uv")
    parser.add_argument("--clients", type=int, action="append", help="at once; may be repeated [1, 8, 32 and 64]")
    parser.add_argument("--seconds", type=float, default=4, help="measured for each number of clients [4]")
    parser.add_argument("--warmup", type=float, default=1, help="seconds before, which are not counted [1]")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each server [3]")
    add_serving_options(parser, OUT)
    return parser


def bench(setup: Setup, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all servers in turn, repeatedly."""
    servers, missing = _servers(setup, others=arguments.others)
    clients = arguments.clients or [1, 8, 32, 64]
    for it in servers:  # fills the disk cache, and compiles bytecode
        _run(it.command, setup, [1], 0.1, 0.1)
    runs = [
        {it.command.name: _run(it.command, setup, clients, arguments.warmup, arguments.seconds) for it in servers}
        for _ in range(arguments.repeat)
    ]
    return {
        **conditions(),
        "pinned": separate_cpus() != (None, None),
        "model": f"{setup.architecture} at {setup.side} pixels",
        "pictures": "photographs" if setup.pictures else "drawn, 300x225",
        "clients": clients,
        "seconds": arguments.seconds,
        "installed": {it.command.name: it.installed() for it in servers},
        "missing": missing,
        "runs": runs,
        "ratios": ratios(runs),
    }


def _servers(setup: Setup, *, others: bool) -> tuple[list[ComparedServer], dict[str, str]]:
    """Return the servers, and the reasons why some are missing."""
    servers, missing = [this_backend(setup), plain_server(setup)], {}
    for name in OTHERS if others else ():
        try:
            servers.append(other_server(name, setup))
        except NotInstalled as error:
            missing[name] = str(error)
            sys.stderr.write(f"{name} is left out: {error}\n")
    return servers, missing


def _run(command: ServerCommand, setup: Setup, clients: Sequence[int], warmup: float, seconds: float) -> dict[str, Any]:
    """Run one server once, from start to end."""
    server_cpus, client_cpus = separate_cpus()
    small, camera = (read_requests(setup, command.kind, size) for size in ("small", "camera"))
    with pinned(client_cpus), Server(command, server_cpus, setup.folder / f"{command.name}.log") as server:
        run: dict[str, Any] = {"cold_start": server.wait(small[0]), "clients": {}}
        for number in clients:
            counts = run_clients(server.url, small, number, warmup=warmup, seconds=seconds)
            run["clients"][str(number)] = counts.summary()
        run["memory"] = server.peak
        run["camera"] = run_clients(server.url, camera, CAMERA_CLIENTS, warmup=warmup, seconds=seconds).summary()
        run["memory_camera"] = server.peak
    most = max(it["pictures_per_second"] for it in run["clients"].values())
    sys.stderr.write(f"{command.name}: started in {run['cold_start']:.2f} s, up to {most:.1f} pictures a second\n")
    return run


def ratios(runs: Sequence[dict[str, Any]]) -> dict[str, dict[str, list[float | None]]]:
    """Return this backend's rate divided by each other's in the same repetition, by number of clients."""
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
