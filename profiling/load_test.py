"""Users who come one to three seconds apart, by locust: `invoke load-test --users 50`.

Without `--host` it publishes a seeded ResNet-18 in a temporary bucket, starts the backend on one CPU, puts the users on
the others, and knows the right answers. With it, or with `--bucket`, whose version that backend then serves, each
picture is asked once before the users come, and that answer is the right one.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
from machine import confined, cpu_name, system_name, two_sides
from serving_backends import ours
from serving_model import Setup, read_questions
from serving_process import Server
from serving_setup import add_options, drawn, published

from animals.cli import exit_on_error
from animals.errors import UsageError

LOCUSTFILE: Final = Path(__file__).parents[1] / "tests" / "locustfile.py"
OUT: Final = Path("reports", "load_test")
SPAWN_SECONDS: Final = 5
"""In which all users come; what is asked meanwhile is not counted."""


def main() -> int:
    """Run locust, write its report and show it; the exit code is 1 after any failure, or if answers took too long."""
    arguments = _parser().parse_args()
    prepared = drawn if arguments.host or arguments.bucket else published
    with exit_on_error(), prepared(arguments) as setup:
        arguments.out.mkdir(parents=True, exist_ok=True)
        with _backend(setup, arguments.host, arguments.bucket) as (host, where, memory):
            code = _run_locust(setup, host, arguments)
            found = json.loads((setup.folder / "locust.json").read_text(encoding="utf-8"))
            report = _report(setup, found, arguments, where, memory())
        (arguments.out / f"{_name(arguments)}.md").write_text(report, encoding="utf-8")
        sys.stdout.write(report)
    late = list(_late(found, arguments.p95)) if arguments.p95 else []
    sys.stderr.writelines(late)
    return code or int(bool(late))


def _late(found: Sequence[Mapping[str, Any]], limit: float) -> Iterator[str]:
    """Of what more than one answer in 20 takes longer than so many ms."""
    for entry in found:
        slow = float(np.percentile(_times(entry), 95))
        if slow > limit:
            yield f"error: one answer in 20 to {entry['name']} takes over {slow:.0f} ms; --p95 allows {limit:g}\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="invoke load-test", description=__doc__)
    parser.add_argument("--users", type=int, default=50, help="[50]")
    parser.add_argument("--seconds", type=int, default=60, help="that are counted [60]")
    parser.add_argument("--host", default="", help="URL of a running backend [one is started]")
    parser.add_argument("--bucket", default="", help="whose version serves [a seeded network]")
    parser.add_argument("--p95", type=float, default=0, help="ms that one answer in 20 may exceed, else it fails [any]")
    parser.add_argument("--html", action="store_true", help="keep locust's own report too, about a megabyte")
    add_options(parser, OUT)
    return parser


@contextmanager
def _backend(setup: Setup, host: str, bucket: str) -> Iterator[tuple[str, str, Any]]:
    """A backend's URL, words on it, and a function that gives the MB it takes; its questions lie in the folder."""
    if host:
        _write_questions(setup, _ask(setup, host))
        yield host, f"Against {host}.", lambda: None
        return
    sides = two_sides()
    where = "The backend on one CPU, the users on another." if sides else "Backend and users on the same CPUs."
    backend = ours(setup, bucket).backend
    with Server(backend, sides and sides[0], setup.folder / "backend.log") as server:
        if bucket:
            server.wait_ready()
            _write_questions(setup, _ask(setup, server.base))
            what = f"{_version(server.base)} of {bucket}."
        else:
            _write_questions(setup, json.loads(setup.answers.read_text(encoding="utf-8"))["int8"])
            server.wait(read_questions(setup, "int8", "small")[0])
            what = f"{setup.architecture} at {setup.side} pixels in 8 bits."
        yield server.base, f"{where} {what}", lambda: server.peak


def _version(host: str) -> str:
    version: str = httpx.get(f"{host}/model").raise_for_status().json()["version"]
    return version


def _ask(setup: Setup, host: str) -> dict[str, dict[str, float]]:
    """What a backend says of each picture while nobody else asks.

    Raises:
        UsageError: it does not answer.
    """
    answers = {}
    for path in sorted((setup.folder / "small").iterdir()):
        try:
            answer = httpx.post(f"{host}/classify/", files={"file": path.read_bytes()}).raise_for_status()
        except httpx.HTTPError as error:
            raise UsageError(f"{host} does not answer a picture ({error}). Start it first: invoke serve") from error
        answers[f"small/{path.name}"] = answer.json()["probabilities"]
    return answers


def _write_questions(setup: Setup, answers: Mapping[str, dict[str, float]]) -> None:
    listed = {str(setup.folder / name): answer for name, answer in answers.items() if name.startswith("small/")}
    (setup.folder / "questions.json").write_text(json.dumps(listed), encoding="utf-8")


def _run_locust(setup: Setup, host: str, arguments: argparse.Namespace) -> int:
    """Its exit code: 1 after a failure; its figures lie in the folder."""
    sides = two_sides()
    rate = max(1.0, arguments.users / SPAWN_SECONDS)
    words = [
        "--headless",
        "--only-summary",
        "--reset-stats",
        "--loglevel=WARNING",
        "--stop-timeout=10",
        f"--host={host}",
    ]
    numbers = [f"--users={arguments.users}", f"--spawn-rate={rate}", f"--run-time={arguments.seconds + SPAWN_SECONDS}s"]
    outs = [f"--host={host}", f"--json-file={setup.folder / 'locust'}", f"--csv={setup.folder / 'locust'}"]
    if arguments.html:
        outs.append(f"--html={arguments.out / _name(arguments)}.html")
    with confined(sides and sides[1]):
        done = subprocess.run(  # noqa: S603 - locust
            [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *words, *numbers, *outs],
            env={**os.environ, "ANIMALS_LOAD_QUESTIONS": str(setup.folder / "questions.json")},
            stdout=subprocess.DEVNULL,
            check=False,
        )
    return done.returncode


def _name(arguments: argparse.Namespace) -> str:
    return f"users_{arguments.users}"


def _report(
    setup: Setup, found: Sequence[Mapping[str, Any]], arguments: argparse.Namespace, where: str, memory: float | None
) -> str:
    # locust writes this table each second, so that the reason of a failure in the last one is missing here
    with (setup.folder / "locust_failures.csv").open(encoding="utf-8", newline="") as file:
        reasons = [f"- {line['Occurrences']} of {line['Name']}: {line['Error']}" for line in csv.DictReader(file)]
    failed = sum(entry["num_failures"] for entry in found)
    given = {"host": arguments.host, "bucket": arguments.bucket}
    whom = "".join(f" --{name} {value}" for name, value in given.items() if value)
    lines = [
        f"# {arguments.users} users",
        "",
        f"`invoke load-test --users {arguments.users} --seconds {arguments.seconds}{whom}`, "
        f"{datetime.now(UTC).isoformat(timespec='seconds')}",
        "",
        f"{cpu_name()}, {system_name()}. {where} Each user shows a picture, waits one to three seconds, says what "
        "was on it, and waits again. Every answer is compared with the right one; `shed` is 503 with Retry-After.",
        "",
        "| | requests | failed | a second | p50, ms | p95, ms | p99, ms | longest, ms |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *map(_row, found),
        "",
        f"{failed} failures and wrong answers.",
        *reasons,
    ]
    if memory is not None:
        lines += ["", f"The backend took {memory:.0f} MB at most."]
    return "\n".join(lines) + "\n"


def _times(entry: Mapping[str, Any]) -> list[float]:
    """In ms, of each answer."""
    return [float(it) for it, count in entry["response_times"].items() for _ in range(count)]


def _row(entry: Mapping[str, Any]) -> str:
    parts = " | ".join(f"{part:.0f}" for part in np.percentile(_times(entry), [50, 95, 99, 100]))
    seconds = max(1.0, entry["last_request_timestamp"] - entry["start_time"])  # users finish what they began
    requests, failed = entry["num_requests"], entry["num_failures"]
    return f"| {entry['name']} | {requests} | {failed} | {requests / seconds:.1f} | {parts} |"


if __name__ == "__main__":
    sys.exit(main())
