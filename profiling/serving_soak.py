"""Whether the backend's memory stays flat: minutes of requests at four fifths of what it can answer.

    python profiling/serving_soak.py --seconds 300

The backend runs on one CPU and the clients on another. Its memory is noted every ten seconds. It counts as flat if the
last third of the time has no more than 2 % above the second third: the first third fills caches and pools. What came
out: reports/serving_soak.md.
"""

import argparse
import asyncio
import itertools
import json
import shlex
import statistics
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from machine import confined, cpu_name, system_name, two_sides
from serving_backends import ours
from serving_load import Tally, at_once, paced
from serving_model import Question, Setup, read_questions
from serving_process import Server
from serving_setup import add_options, published

from animals.cli import exit_on_error

OUT: Final = Path("reports", "serving_soak.json")
LOAD: Final = 0.8
"""Of what it answers a second when eight clients ask without a pause."""

GROWTH: Final = 0.02
"""That still counts as flat; memory that is freed is not always given back."""


def main() -> int:
    """Measure, write and show; the exit code is 1 if memory grew, or an answer was wrong or missing."""
    arguments = _parser().parse_args()
    with exit_on_error(), published(arguments) as setup:
        report = soak(setup, seconds=arguments.seconds, every=arguments.every)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    arguments.out.with_suffix(".md").write_text(markdown(report), encoding="utf-8")
    sys.stdout.write(markdown(report))
    return 0 if report["flat"] and not (report["wrong"] or report["failures"]) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="[300]")
    parser.add_argument("--every", type=float, default=10, help="seconds between two looks at the memory [10]")
    add_options(parser, OUT)
    return parser


def soak(setup: Setup, *, seconds: float, every: float) -> dict[str, Any]:
    """Find out what the backend can answer, and ask four fifths of that for so long."""
    questions = read_questions(setup, "int8", "small")
    sides = two_sides()
    with (
        confined(sides and sides[1]),
        Server(ours(setup).backend, sides and sides[0], setup.folder / "backend.log") as server,
    ):
        server.wait(questions[0])
        capacity = len(at_once(server.url, questions, 8, warmup=1, seconds=5).right) / 5
        tally, memory = asyncio.run(_ask(server, questions, LOAD * capacity, seconds, every))
    return {
        "command": shlex.join(["python", "profiling/serving_soak.py", *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "system": system_name(),
        "model": f"{setup.architecture} at {setup.side} pixels",
        "capacity": capacity,
        "every": every,
        "memory": memory,
        "growth": growth(memory),
        "flat": growth(memory) <= GROWTH,
        **tally.summary(),
    }


async def _ask(
    server: Server, questions: Sequence[Question], rate: float, seconds: float, every: float
) -> tuple[Tally, list[float]]:
    memory: list[float] = []

    async def watch() -> None:
        while True:
            memory.append(server.memory())
            await asyncio.sleep(every)

    watching = asyncio.create_task(watch())
    tally = await paced(server.url, itertools.cycle(questions), rate, seconds)
    watching.cancel()
    return tally, memory


def growth(memory: Sequence[float]) -> float:
    """By how much the last third has more than the second, as part of that."""
    third = max(1, len(memory) // 3)
    before, after = statistics.mean(memory[-2 * third : -third] or memory[:1]), statistics.mean(memory[-third:])
    return after / before - 1


def markdown(report: dict[str, Any]) -> str:
    """The report for people."""
    rows = [f"| {place * report['every']:g} | {found:.1f} |" for place, found in enumerate(report["memory"])]
    verdict = "flat" if report["flat"] else "NOT flat"
    failed = sum(report["failures"].values())
    return "\n".join(
        [
            "# Memory under load",
            "",
            f"`{report['command']}`, {report['date']}",
            "",
            f"{report['cpu']}, {report['system']}. {report['model']} in 8 bits on one CPU, which answers "
            f"{report['capacity']:.1f} pictures a second with eight clients; asked for {LOAD:.0%} of that.",
            "",
            f"Memory is {verdict}: in the last third {report['growth']:+.1%} against the second. "
            f"{report['right']} right answers, {report['wrong']} wrong, {report['shed']} told to try again later, "
            f"{failed} failed; p50 {report['p50'] or 0:.0f} ms, p99 {report['p99'] or 0:.0f} ms.",
            "",
            "| seconds | memory, MB |",
            "|---:|---:|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
