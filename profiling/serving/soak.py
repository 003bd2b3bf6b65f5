"""Check that the backend's memory stays flat: minutes of requests at four fifths of its capacity.

    python -m profiling.serving.soak --seconds 300

The backend runs on one CPU and the clients on another. Memory is flat if the last third of the time has at most 2 %
more than the second third; the first third fills caches and pools. Results: reports/serving_soak.md.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from animals.cli import exit_on_error
from animals.markdown import table
from profiling.machine import pinned, separate_cpus
from profiling.options import add_serving_options
from profiling.results import conditions, heading, write
from profiling.serving.clients import Counts, run_clients, send_at_rate
from profiling.serving.model import Request, Setup, read_requests
from profiling.serving.process import Server
from profiling.serving.servers import this_backend
from profiling.serving.setup import prepared

OUT: Final = Path("reports", "serving_soak.json")
LOAD: Final = 0.8
"""Share of the rate that eight clients reach."""

GROWTH: Final = 0.02
"""Growth that still counts as flat; freed memory is not always returned to the system."""


def main() -> int:
    """Measure, write and print; return 1 if memory grew, or an answer was wrong or missing."""
    arguments = _parser().parse_args()
    with exit_on_error(), prepared(arguments) as setup:
        result = soak(setup, seconds=arguments.seconds, every=arguments.every)
    write(result, markdown(result), arguments.out)
    return 0 if result["flat"] and not (result["wrong"] or result["failures"]) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="[300]")
    parser.add_argument("--every", type=float, default=10, help="seconds between two measurements of memory [10]")
    add_serving_options(parser, OUT)
    return parser


def soak(setup: Setup, *, seconds: float, every: float) -> dict[str, Any]:
    """Measure the backend's capacity, then send four fifths of it."""
    requests = read_requests(setup, "int8", "small")
    server_cpus, client_cpus = separate_cpus()
    log = setup.folder / "backend.log"
    with pinned(client_cpus), Server(this_backend(setup).command, server_cpus, log) as server:
        server.wait(requests[0])
        capacity = len(run_clients(server.url, requests, 8, warmup=1, seconds=5).right) / 5
        counts, memory = asyncio.run(_send(server, requests, LOAD * capacity, seconds, every))
    return {
        **conditions(),
        "model": f"{setup.architecture} at {setup.side} pixels",
        "capacity": capacity,
        "every": every,
        "memory": memory,
        "growth": growth(memory),
        "flat": growth(memory) <= GROWTH,
        **counts.summary(),
    }


async def _send(
    server: Server, requests: Sequence[Request], rate: float, seconds: float, every: float
) -> tuple[Counts, list[float]]:
    memory: list[float] = []

    async def watch() -> None:
        while True:
            memory.append(server.memory())
            await asyncio.sleep(every)

    watching = asyncio.create_task(watch())
    counts = await send_at_rate(server.url, itertools.cycle(requests), rate, seconds)
    watching.cancel()
    return counts, memory


def growth(memory: Sequence[float]) -> float:
    """Return the relative growth of memory from the second third to the last."""
    third = max(1, len(memory) // 3)
    before, after = statistics.mean(memory[-2 * third : -third] or memory[:1]), statistics.mean(memory[-third:])
    return after / before - 1


def markdown(result: dict[str, Any]) -> str:
    """Return the page."""
    rows = [[f"{number * result['every']:g}", f"{it:.1f}"] for number, it in enumerate(result["memory"])]
    failed = sum(result["failures"].values())
    parts = [
        heading("Memory under load", result),
        f"{result['model']} in 8 bits on one CPU, which answers {result['capacity']:.1f} pictures a second to eight "
        f"clients; {LOAD:.0%} of that was sent.",
        f"Memory is {'flat' if result['flat'] else 'NOT flat'}: in the last third {result['growth']:+.1%} against the "
        f"second. {result['right']} right answers, {result['wrong']} wrong, {result['shed']} rejected with "
        f"Retry-After, {failed} failed; p50 {result['p50'] or 0:.0f} ms, p99 {result['p99'] or 0:.0f} ms.",
        table(["seconds", "memory, MB"], rows),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
