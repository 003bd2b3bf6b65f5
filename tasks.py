"""What a person does with this repository: `invoke --list`."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

ROOT = Path(__file__).parent
GROUPS = {
    "dev": "_dev",
    "train": "",
    "backend": "_backend",
    "bulk": "_bulk",
    "frontend": "_frontend",
    "report": "_report",
}
"""Dependency group -> ending of its requirements file. The first holds all others, which follow its versions."""


def run(*command: str, **environment: str) -> None:
    """Run a command from the repository's root; end with its exit code if it fails.

    A list of words and no shell: the same on every system, and nothing needs quoting.
    """
    finish(subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}))  # noqa: S603


def finish(process: "subprocess.Popen[bytes]") -> None:
    """Wait for a command; end with its exit code if it fails."""
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            continue  # the command hears Ctrl-C too, and may have something to finish
    if code:
        raise Exit(code=code if code > 0 else 128 - code)  # as a shell says that a signal ended it


def python(*arguments: str, **environment: str) -> None:
    """Run a module of this environment."""
    run(sys.executable, "-m", *arguments, **environment)


@task(name="list", default=True)
def list_tasks(_: Context) -> None:
    """List the tasks (what `invoke` alone does)."""
    python("invoke", "--list")


@task(
    help={
        "source": "bring pictures from: sample, kaggle, feedback, gs://name/prefix, a folder, a zip or tar file",
        "root": "folder that gets them, or that --version keeps [data/raw/raw-img; data/sample for sample]",
        "check": "look for broken and doubtful pictures",
        "stats": "describe the pictures in numbers",
        "shards": "write the pictures as shards to stream, to gs://name/prefix or a folder",
        "version": "keep the pictures as a version in a bucket, by DVC",
        "args": 'Hydra overrides for --check, --stats and --shards, as in --args "experiment=animals10"',
    }
)
def data(
    _: Context,
    source: str = "",
    root: str = "",
    check: bool = False,
    stats: bool = False,
    shards: str = "",
    version: bool = False,
    args: str = "",
) -> None:
    """Bring pictures, check, describe, pack or version them: whichever the options ask for."""
    place = ["--root", root] if root else []
    if source:
        python("animals.data", "fetch", source, *place)
    for command, wanted in (("check", check), ("stats", stats)):
        if wanted:
            python("animals.data", command, *shlex.split(args))
    if shards:
        python("animals.data", "shards", shards, *shlex.split(args))
    if version:
        python("animals.data", "version", *place)
    if not (source or check or stats or shards or version):
        python("invoke", "--help", "data")


@task(help={"args": 'Hydra overrides, as in --args "optimizer.lr=3e-4 trainer.epochs=2"'})
def train(_: Context, args: str = "") -> None:
    """Train, evaluate, export and publish a model; on the sample pictures unless told otherwise."""
    python("animals.training", *shlex.split(args))


@task(
    help={
        "args": 'Hydra overrides, as in --args "experiment=animals10 trainer.batch_size=32"',
        "steps": "that are timed, and then profiled",
    }
)
def profile(_: Context, args: str = "", steps: int = 10) -> None:
    """See where the time of a training goes: a trace and a table in profiling/."""
    python("animals.training.profile", *shlex.split(args), "--steps", str(steps))


@task(
    help={
        "name": "of the sweep, whose folder is runs/sweeps/NAME; the same name goes on with it [the space's]",
        "space": "what is searched: a name in src/animals/config/conf/sweep, or a .yaml file",
        "trials": "of the whole sweep, by all workers and calls together",
        "workers": "processes that each run one trial at a time",
        "args": 'Hydra overrides of every trial, as in --args "experiment=animals10 trainer.epochs=4"',
        "metric": "val/accuracy or val/loss",
        "report": "only show what was found so far",
        "save": "keep the best settings as the experiment of this name",
    }
)
def sweep(
    _: Context,
    name: str = "",
    space: str = "sample",
    trials: int = 20,
    workers: int = 1,
    args: str = "",
    metric: str = "val/accuracy",
    report: bool = False,
    save: str = "",
) -> None:
    """Search for better settings in many short trainings."""
    options = {"name": name, "space": space, "trials": trials, "workers": workers, "metric": metric, "save": save}
    given = [f"--{key}={value}" for key, value in options.items() if value != ""]
    python("animals.training.sweep", *given, *(["--report"] if report else []), f"--args={args}")


@task(
    positional=["folder"],
    help={"folder": "a finished run's folder under runs/", "no-promote": "do not let it serve"},
)
def publish(_: Context, folder: str, no_promote: bool = False) -> None:
    """Publish a finished run again, for instance when the bucket was out of reach."""
    python("animals.training.publish", folder, *(["--no-promote"] if no_promote else []))


@task(
    help={
        "version": "a published version; by default the one that serves",
        "against": "another version to compare with; by default the one that serves",
        "pictures": "test pictures, at most, that are spoiled: each is asked about fifty times",
    }
)
def evaluate(_: Context, version: str = "current", against: str = "", pictures: int = 1000) -> None:
    """Measure what a published version is worth, and write a report on it into reports/versions/."""
    other = ["--against", against] if against else []
    python("animals.training.proof", version, *other, "--pictures", str(pictures))


@task(
    positional=["version"],
    help={
        "version": "a published version",
        "reason": "why, which the pointer keeps",
        "force": "even if it is worse than the version that serves, or cannot be compared with it; needs a reason",
    },
)
def promote(_: Context, version: str, reason: str = "", force: bool = False) -> None:
    """Let a published version serve, unless it is worse than the one that does."""
    python("animals.training.promotion", "promote", version, f"--reason={reason}", *(["--force"] if force else []))


@task(help={"reason": "why, which the pointer keeps"})
def rollback(_: Context, reason: str = "") -> None:
    """Let the version serve again that did before."""
    python("animals.training.promotion", "rollback", f"--reason={reason}")


@task(
    help={
        "version": "a published version; by default the one that serves",
        "pictures": "test pictures, at most, that each form answers",
        "channels": "part of the channels that is pruned",
        "epochs": "of training after pruning",
    }
)
def optimize(
    _: Context, version: str = "current", pictures: int = 1000, channels: float = 0.3, epochs: int = 2
) -> None:
    """Compare a version's size, speed and accuracy in torch, ONNX, 8 bits and pruned, in reports/versions/."""
    given = {"pictures": pictures, "channels": channels, "epochs": epochs}
    python("animals.training.optimize", version, *(f"--{key}={value}" for key, value in given.items()))


@task(help={"port": "where it listens on this machine"})
def serve(_: Context, port: int = 8000) -> None:
    """Serve the current model on http://localhost:8000."""
    python("animals.serving", PORT=str(port))


@task(help={"days": "to look at"})
def decide(_: Context, days: int = 7) -> None:
    """Decide from feedback and drift whether to train again, and ask for it if ANIMALS_TRIGGER says whom."""
    python("animals.monitoring.check", "--days", str(days))


def local(*words: str, ports: dict[str, int]) -> None:
    """Run services on this machine; if this process is killed, they see the end of their input and end too."""
    given = [f"--{name}-port={port}" for name, port in ports.items()]
    command = [sys.executable, "-m", "animals.local.tether", "animals.local", *words, *given]
    finish(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE))  # noqa: S603


PORTS = {
    "backend-port": "where the backend listens",
    "page-port": "where the page listens",
    "report-port": "where the report function listens",
}


@task(help=PORTS)
def up(_: Context, backend_port: int = 8080, page_port: int = 8501, report_port: int = 8082) -> None:
    """Start backend, page and report function on this machine, until Ctrl-C."""
    local("up", ports={"backend": backend_port, "page": page_port, "report": report_port})


@task(
    help={
        **PORTS,
        "args": 'Hydra overrides of the training, if there is no model yet, as in --args "trainer.epochs=4"',
        "once": "write the report into reports.zip and end, instead of running until Ctrl-C",
    }
)
def demo(
    _: Context,
    args: str = "",
    once: bool = False,
    backend_port: int = 8080,
    page_port: int = 8501,
    report_port: int = 8082,
) -> None:
    """The same, after training the sample if there is no model yet, with some traffic and feedback to look at."""
    ports = {"backend": backend_port, "page": page_port, "report": report_port}
    local("demo", f"--args={args}", *(["--once"] if once else []), ports=ports)


@task(
    name="load-test",
    help={
        "users": "who come one to three seconds apart",
        "seconds": "that are counted",
        "host": "URL of a running backend; without one, a backend is started on one CPU and stopped again",
    },
)
def load_test(_: Context, users: int = 50, seconds: int = 60, host: str = "") -> None:
    """Let users come to a backend, and write what they saw into reports/load_test/."""
    given = {"users": users, "seconds": seconds, "host": host}
    run(sys.executable, "profiling/load_test.py", *(f"--{key}={value}" for key, value in given.items()))


@task(help={"args": 'of pytest, as in --args "tests/data -k split"'})
def test(_: Context, args: str = "") -> None:
    """Run the tests; all of them with coverage, or those named by --args."""
    if args:
        python("pytest", *shlex.split(args))
        return
    python("coverage", "erase")
    python("pytest", "--cov", "--cov-report=")
    python("coverage", "report")


@task
def lint(_: Context) -> None:
    """Check style, types, import contracts and unused dependencies."""
    python("ruff", "check")
    python("ruff", "format", "--check")
    python("mypy")
    run("lint-imports")
    run("deptry", "src")


@task(name="format")
def format_code(_: Context) -> None:
    """Bring the code into its form."""
    python("ruff", "check", "--fix")
    python("ruff", "format")


@task(help={"upgrade": "take the newest versions instead of keeping those that still fit"})
def requirements(_: Context, upgrade: bool = False) -> None:
    """Compile the dependency groups of pyproject.toml into the pinned requirements files."""
    everything = f"requirements{GROUPS['dev']}.txt"
    for group, ending in GROUPS.items():
        out = f"requirements{ending}.txt"
        extra = (["--upgrade"] if upgrade else []) if out == everything else ["--constraint", everything]
        run(
            *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
            *("--group", group, *extra, "--output-file", out, "--custom-compile-command", "invoke requirements"),
        )
