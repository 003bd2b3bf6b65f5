"""Let users come one to three seconds apart, with locust: `invoke load-test --users 50`.

Without `--host` it publishes a seeded ResNet-18 in a temporary bucket, starts the backend on one CPU, runs the users on
the others, and knows the right answers. With it, or with `--bucket`, whose version that backend then serves, each
picture is sent once before the users come, and that answer is the right one. Results: reports/load_test/.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx
import numpy as np

from animals.cli import exit_on_error
from animals.errors import UsageError
from animals.markdown import table
from profiling.machine import pinned, separate_cpus
from profiling.options import load_test_parser
from profiling.results import conditions, heading
from profiling.serving.model import Setup, read_requests
from profiling.serving.process import Server
from profiling.serving.servers import this_backend
from profiling.serving.setup import prepared

LOCUSTFILE: Final = Path(__file__).with_name("locustfile.py")
SPAWN_SECONDS: Final = 5
"""In which all users come; requests until then are not counted."""


class Target(NamedTuple):
    """A backend under load."""

    url: str
    description: str
    peak_memory: Callable[[], float | None]
    """Returns MB; None for a backend that was running already."""


def main() -> int:
    """Run locust, write its report and print it; return 1 after any failure, or if answers took too long."""
    arguments = load_test_parser().parse_args()
    with exit_on_error(), prepared(arguments, model=not (arguments.host or arguments.bucket)) as setup:
        arguments.out.mkdir(parents=True, exist_ok=True)
        with _target(setup, arguments.host, arguments.bucket) as target:
            code = _run_locust(setup, target.url, arguments)
            statistics = json.loads((setup.folder / "locust.json").read_text(encoding="utf-8"))
            report = _report(setup, statistics, arguments, target)
        (arguments.out / f"users_{arguments.users}.md").write_text(report, encoding="utf-8")
        sys.stdout.write(report)
    slow = list(_too_slow(statistics, arguments.p95)) if arguments.p95 else []
    sys.stderr.writelines(slow)
    return code or int(bool(slow))


def _too_slow(statistics: Sequence[Mapping[str, Any]], limit: float) -> Iterator[str]:
    """Yield an error for each kind of request whose p95 exceeds the limit in ms."""
    for entry in statistics:
        p95 = float(np.percentile(_times(entry), 95))
        if p95 > limit:
            yield f"error: one answer in 20 to {entry['name']} takes over {p95:.0f} ms; --p95 allows {limit:g}\n"


@contextmanager
def _target(setup: Setup, host: str, bucket: str) -> Iterator[Target]:
    """Yield the backend; locust finds the pictures and right answers in the setup's folder."""
    if host:
        _write_questions(setup, _classify(setup, host))
        yield Target(host, f"Against {host}.", lambda: None)
        return
    server_cpus, _ = separate_cpus()
    where = "The backend on one CPU, the users on others." if server_cpus else "Backend and users on the same CPUs."
    with Server(this_backend(setup, bucket).command, server_cpus, setup.folder / "backend.log") as server:
        if bucket:
            server.wait_ready()
            _write_questions(setup, _classify(setup, server.base))
            what = f"{httpx.get(f'{server.base}/model').raise_for_status().json()['version']} of {bucket}."
        else:
            _write_questions(setup, json.loads(setup.answers.read_text(encoding="utf-8"))["int8"])
            server.wait(read_requests(setup, "int8", "small")[0])
            what = f"{setup.architecture} at {setup.side} pixels in 8 bits."
        yield Target(server.base, f"{where} {what}", lambda: server.peak)


def _classify(setup: Setup, host: str) -> dict[str, dict[str, float]]:
    """Return a backend's answer to each picture without load.

    Raises:
        UsageError: it does not answer.
    """
    answers = {}
    for path in sorted((setup.folder / "small").iterdir()):
        try:
            response = httpx.post(f"{host}/classify/", files={"file": path.read_bytes()}).raise_for_status()
        except httpx.HTTPError as error:
            raise UsageError(f"{host} does not answer a picture ({error}). Start it first: invoke serve") from error
        answers[f"small/{path.name}"] = response.json()["probabilities"]
    return answers


def _write_questions(setup: Setup, answers: Mapping[str, dict[str, float]]) -> None:
    questions = {str(setup.folder / name): answer for name, answer in answers.items() if name.startswith("small/")}
    (setup.folder / "questions.json").write_text(json.dumps(questions), encoding="utf-8")


def _run_locust(setup: Setup, host: str, arguments: argparse.Namespace) -> int:
    """Return locust's exit code, 1 after a failure; it writes its statistics into the folder."""
    words = ["--headless", "--only-summary", "--reset-stats", "--loglevel=WARNING", "--stop-timeout=10"]
    words += [f"--host={host}", f"--users={arguments.users}", f"--run-time={arguments.seconds + SPAWN_SECONDS}s"]
    words += [f"--spawn-rate={max(1.0, arguments.users / SPAWN_SECONDS)}"]
    words += [f"--json-file={setup.folder / 'locust'}", f"--csv={setup.folder / 'locust'}"]
    if arguments.html:
        words.append(f"--html={arguments.out / f'users_{arguments.users}.html'}")
    _, client_cpus = separate_cpus()
    with pinned(client_cpus):
        done = subprocess.run(  # noqa: S603 - locust
            [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), *words],
            env={**os.environ, "ANIMALS_LOAD_QUESTIONS": str(setup.folder / "questions.json")},
            stdout=subprocess.DEVNULL,
            check=False,
        )
    return done.returncode


def _report(
    setup: Setup, statistics: Sequence[Mapping[str, Any]], arguments: argparse.Namespace, target: Target
) -> str:
    # locust writes this table each second, so the reason of a failure in the last second is missing
    with (setup.folder / "locust_failures.csv").open(encoding="utf-8", newline="") as file:
        reasons = [f"- {line['Occurrences']} of {line['Name']}: {line['Error']}" for line in csv.DictReader(file)]
    failed = sum(entry["num_failures"] for entry in statistics)
    given = {"host": arguments.host, "bucket": arguments.bucket}
    options = "".join(f" --{name} {value}" for name, value in given.items() if value)
    command = f"invoke load-test --users {arguments.users} --seconds {arguments.seconds}{options}"
    head = ["", "requests", "failed", "a second", "p50, ms", "p95, ms", "p99, ms", "longest, ms"]
    parts = [
        heading(f"{arguments.users} users", {**conditions(), "command": command}),
        f"{target.description} Each user uploads a picture, waits one to three seconds, gives feedback, and waits "
        "again. Every answer is compared with the right one; `shed` is 503 with Retry-After.",
        table(head, map(_row, statistics)),
        "\n".join([f"{failed} failures and wrong answers.", *reasons]),
    ]
    if (memory := target.peak_memory()) is not None:
        parts.append(f"Peak memory of the backend: {memory:.0f} MB.")
    return "\n\n".join(parts) + "\n"


def _times(entry: Mapping[str, Any]) -> list[float]:
    """Return the milliseconds of each answer."""
    return [float(it) for it, count in entry["response_times"].items() for _ in range(count)]


def _row(entry: Mapping[str, Any]) -> list[str]:
    seconds = max(1.0, entry["last_request_timestamp"] - entry["start_time"])  # users finish what they began
    counts = [f"{entry['num_requests']}", f"{entry['num_failures']}", f"{entry['num_requests'] / seconds:.1f}"]
    return [entry["name"], *counts, *(f"{it:.0f}" for it in np.percentile(_times(entry), [50, 95, 99, 100]))]


if __name__ == "__main__":
    sys.exit(main())
