"""What a person does with this repository: `invoke --list`."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
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


def tool(name: str, *arguments: str) -> None:
    """Run a program of this environment, which need not be on the PATH."""
    found = shutil.which(name, path=Path(sys.executable).parent)
    if found is None:
        raise Exit(f"This environment has no {name}. `uv sync` brings what the project uses.", code=1)
    run(found, *arguments)


def words(text: str) -> list[str]:
    """Split what a person typed, as a shell does."""
    from animals.cli import split_words  # here, since a release reads this file where the package is not

    return split_words(text)


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
            python("animals.data", command, *words(args))
    if shards:
        python("animals.data", "shards", shards, *words(args))
    if version:
        python("animals.data", "version", *place)
    if not (source or check or stats or shards or version):
        python("invoke", "--help", "data")


@task(help={"args": 'Hydra overrides, as in --args "optimizer.lr=3e-4 trainer.epochs=2"'})
def train(_: Context, args: str = "") -> None:
    """Train, evaluate, export and publish a model; on the sample pictures unless told otherwise."""
    python("animals.training", *words(args))


@task(
    help={
        "args": 'Hydra overrides, as in --args "experiment=animals10 trainer.batch_size=32"',
        "steps": "that are timed, and then profiled",
    }
)
def profile(_: Context, args: str = "", steps: int = 10) -> None:
    """See where the time of a training goes: a trace and a table in profiling/."""
    python("animals.training.profile", *words(args), "--steps", str(steps))


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


@task(positional=["version"], help={"version": "a published version"})
def announce(_: Context, version: str) -> None:
    """Tell the repository that ANIMALS_ANNOUNCE names of a version, so that its workflow tests and promotes it."""
    python("animals.training.announce", version)


@task(
    name="check-version",
    positional=["version"],
    help={"version": "a published version", "into": "folder that becomes a bucket in which it serves"},
)
def check_version(_: Context, version: str, into: str = "build/candidate") -> None:
    """Fetch a published version and find out whether it may serve: checksums, labels, answers."""
    python("animals.training.candidate", version, "--into", into)


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
        "bucket": "whose version that backend serves; by default one with a seeded network",
        "out": "folder that gets the report",
    },
)
def load_test(
    _: Context, users: int = 50, seconds: int = 60, host: str = "", bucket: str = "", out: str = "reports/load_test"
) -> None:
    """Let users come to a backend, and write what they saw into reports/load_test/."""
    given = {"users": users, "seconds": seconds, "host": host, "bucket": bucket, "out": out}
    run(sys.executable, "profiling/load_test.py", *(f"--{key}={value}" for key, value in given.items()))


@task(
    name="gcp-setup",
    help={
        "project": "ID of the Google Cloud project [GOOGLE_CLOUD_PROJECT]",
        "region": "where everything is",
        "github": "OWNER/REPO whose workflows deploy and whose pushes build",
        "email": "who hears of alerts",
        "dry-run": "print the commands instead of running them",
    },
)
def gcp_setup(
    _: Context,
    project: str = "",
    region: str = "europe-west1",
    github: str = "",
    email: str = "",
    dry_run: bool = False,
) -> None:
    """Make what a Google Cloud project lacks: buckets, accounts, secrets, triggers, alerts. Safe to repeat."""
    given = {"project": project, "region": region, "github": github, "email": email}
    options = [f"--{name}={value}" for name, value in given.items() if value]
    python("animals.cloud", "setup", *options, *(["--dry-run"] if dry_run else []))


@task(
    name="train-cloud",
    help={
        "project": "ID of the Google Cloud project [GOOGLE_CLOUD_PROJECT]",
        "region": "where it trains",
        "gpu": "cpu, l4 or t4, or several with commas, to be tried in this order",
        "also-in": "further regions to try each of them in, with commas",
        "machines": "how many train together",
        "spot": "on cheaper machines, which may be taken away: the training then goes on on others",
        "args": 'Hydra overrides, as in --args "experiment=animals10 data.root=gs://name/raw/raw-img"',
        "tag": "of the image",
        "wandb": "track it in W&B, with the key in Secret Manager",
        "announce": "github://OWNER/REPOSITORY that is told of the version",
        "feedback": "train on the judged pictures too",
        "follow": "show its log until it ends",
        "dry-run": "print what would be done",
    },
)
def train_cloud(
    _: Context,
    project: str = "",
    region: str = "europe-west1",
    gpu: str = "cpu",
    also_in: str = "",
    machines: int = 1,
    spot: bool = False,
    args: str = "",
    tag: str = "latest",
    wandb: bool = False,
    announce: str = "",
    feedback: bool = False,
    follow: bool = False,
    dry_run: bool = False,
) -> None:
    """Train on Vertex AI."""
    given = {"region": region, "gpu": gpu, "also-in": also_in, "machines": machines, "args": args, "tag": tag}
    given |= {"announce": announce} | ({"project": project} if project else {})
    switches = {"spot": spot, "wandb": wandb, "feedback": feedback, "follow": follow, "dry-run": dry_run}
    options = [f"--{name}={value}" for name, value in given.items()]
    python("animals.cloud", "train", *options, *(f"--{name}" for name, wanted in switches.items() if wanted))


@task(
    help={
        "tag": "that the images get, such as the commit's short hash",
        "project": "ID of the Google Cloud project [GOOGLE_CLOUD_PROJECT]",
        "region": "where it is built",
        "train-gpu": "build the image for trainers with a GPU too",
        "deploy": "put the images to work when all is well",
        "dry-run": "print what would be done",
    }
)
def build(
    _: Context,
    tag: str = "",
    project: str = "",
    region: str = "europe-west1",
    train_gpu: bool = False,
    deploy: bool = True,
    dry_run: bool = False,
) -> None:
    """Build, test and scan the images in Cloud Build, as after a push to main, and deploy them."""
    given = {"tag": tag, "region": region, "project": project}
    options = [f"--{name}={value}" for name, value in given.items() if value]
    switches = {"train-gpu": train_gpu, "no-deploy": not deploy, "dry-run": dry_run}
    python("animals.cloud", "build", *options, *(f"--{name}" for name, wanted in switches.items() if wanted))


@task(
    help={
        "tag": "of the images, which are in Artifact Registry already",
        "project": "ID of the Google Cloud project [GOOGLE_CLOUD_PROJECT]",
        "region": "where they are, and where the services run",
        "only": "backend, report, frontend or check alone",
        "watch": "seconds to look at a revision that has a tenth of the visitors",
        "dry-run": "print what would be done",
    }
)
def deploy(
    _: Context,
    tag: str = "",
    project: str = "",
    region: str = "europe-west1",
    only: str = "",
    watch: int = 300,
    dry_run: bool = False,
) -> None:
    """Put images to work on Cloud Run: no visitors, a tenth, all; or back."""
    given = {"tag": tag, "region": region, "watch": watch, "project": project, "only": only}
    options = [f"--{name}={value}" for name, value in given.items() if value != ""]
    python("animals.cloud", "deploy", *options, *(["--dry-run"] if dry_run else []))


@task(help={"args": 'of pytest, as in --args "tests/data -k split"'})
def test(_: Context, args: str = "") -> None:
    """Run the tests; all of them with coverage, or those named by --args."""
    if args:
        python("pytest", *words(args))
        return
    python("coverage", "erase")
    # files, not tests, are spread over the CPUs: what a file's tests share is made once
    spread = ("--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
    python("pytest", "--cov", "--cov-report=", *spread)
    python("coverage", "report")


SCHEMA = ("check-jsonschema", "--builtin-schema")
CHECKS: dict[str, tuple[str, ...]] = {
    "style": ("ruff", "check"),
    "form": ("ruff", "format", "--check"),
    "types": ("mypy",),
    "imports": ("lint-imports",),
    "dependencies": ("deptry", "src"),
    "dockerfiles": ("hadolint", "dockerfiles/*.dockerfile"),
    "workflows": ("jactionlint",),
    "security": ("zizmor", "--offline", "--quiet", ".github"),
    "workflows-schema": (*SCHEMA, "vendor.github-workflows", ".github/workflows/*.yml"),
    "dependabot-schema": (*SCHEMA, "vendor.dependabot", ".github/dependabot.yml"),
    "compose-schema": (*SCHEMA, "vendor.compose-spec", "compose.yaml"),
    "cloudbuild-schema": (*SCHEMA, "vendor.cloudbuild", "cloudbuild_files/*.yaml"),
    "pre-commit": ("pre-commit", "validate-config"),
}
"""What `invoke lint` runs: a name, and the program with its arguments, where a * stands for files."""


def check(name: str) -> None:
    """Run one of the checks."""
    program, *arguments = CHECKS[name]
    if program == "hadolint" and sys.platform == "win32":
        sys.stderr.write("hadolint has no wheel for Windows: the Dockerfiles are checked in CI.\n")
        return
    files = [sorted(map(str, ROOT.glob(argument))) if "*" in argument else [argument] for argument in arguments]
    tool(program, *(word for group in files for word in group))


@task(help={"only": f"one check instead of all: {', '.join(CHECKS)}"})
def lint(_: Context, only: str = "") -> None:
    """Check code, contracts, dependencies, Dockerfiles, workflows and the other files that a tool knows."""
    if only and only not in CHECKS:
        raise Exit(f"There is no check {only}. There are: {', '.join(CHECKS)}.", code=2)
    for name in [only] if only else CHECKS:
        check(name)


@task(name="format")
def format_code(_: Context) -> None:
    """Bring the code into its form."""
    python("ruff", "check", "--fix")
    python("ruff", "format")


@task(help={"serve": "show it on http://localhost:8100 while you write, instead of building it into build/site"})
def docs(_: Context, serve: bool = False) -> None:
    """Build the documentation, whose reference is made from the code; a broken link is an error."""
    # without --quiet, which would keep it from counting its warnings
    what = ["serve", "--dev-addr", "localhost:8100"] if serve else ["build"]
    python("mkdocs", *what, "--strict", NO_MKDOCS_2_WARNING="1")  # the theme's makers announce another program


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


@task(
    help={
        "feedback": "share of the pictures that somebody judges",
        "consent": "share of the judgements that come with the picture to keep",
        "page": "share of the pictures that come by the web page",
        "upload-bytes": "bytes of a picture that is sent",
        "trainings": "trainings a month",
        "assume": "TOML file with these and all others, like profiling/cost.toml",
    }
)
def cost(
    _: Context,
    feedback: str = "",
    consent: str = "",
    page: str = "",
    upload_bytes: str = "",
    trainings: str = "",
    assume: str = "",
) -> None:
    """Work out what a month on Google Cloud costs, into docs/cost.md; with other assumptions only show it."""
    given = {"feedback": feedback, "consent": consent, "page": page, "upload-bytes": upload_bytes}
    given |= {"trainings": trainings, "assume": assume}
    run(sys.executable, "profiling/cost.py", *(f"--{key}={value}" for key, value in given.items() if value))


@task(
    help={
        "only": 'sections to measure, as in --only "serving,cost"; all of them take hours',
        "quick": "measure on less",
        "render": "measure nothing, only write from the results in reports/",
        "show": "list the sections, and what measures them",
        "photographs": "folder of label folders, on which the trainer's defaults are measured too",
    }
)
def report(
    _: Context, only: str = "", quick: bool = False, render: bool = False, show: bool = False, photographs: str = ""
) -> None:
    """Measure the project anew and write tables and figures of reports/README.md."""
    flags = [word for word, wanted in (("--quick", quick), ("--render", render), ("--show", show)) if wanted]
    run(sys.executable, "profiling/report.py", f"--only={only}", f"--photographs={photographs}", *flags)


@task
def package(_: Context) -> None:
    """Build wheel and source distribution into dist/, and try the wheel in an environment of its own."""
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    run("uv", "build", "--quiet", "--out-dir", "dist")
    (wheel,) = (ROOT / "dist").glob("*.whl")
    alone = ("uv", "run", "--quiet", "--no-project", "--isolated", "--directory", "dist", "--with", str(wheel))
    for requirements, *command in (
        ("requirements_bulk.txt", "animals", "classify", "--help"),
        ("requirements_backend.txt", "python", "-m", "animals.serving", "--help"),
        ("requirements_frontend.txt", "python", "-m", "animals.frontend", "--help"),
    ):
        run(*alone, "--with-requirements", str(ROOT / requirements), "--", *command)


def released(version: str, changelog: str) -> str:
    """What a changelog says of a version.

    Raises:
        Exit: it says nothing of it, or has no date for it.
    """
    form = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$\n(.*?)(?=^## \[|^\[[^\]]+\]: |\Z)"
    section = re.search(form, changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise Exit(
            f"CHANGELOG.md has nothing under `## [{version}] - YYYY-MM-DD`. "
            "Give what is under [Unreleased] this heading, and leave an empty [Unreleased] above it.",
            code=1,
        )
    return section[1].strip() + "\n"


@task(name="release-notes", positional=["version"], help={"version": "such as 0.2.0, the one in pyproject.toml"})
def release_notes(_: Context, version: str) -> None:
    """Show what the changelog says of a version, which becomes the text of its release."""
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if version != ours:
        raise Exit(f"pyproject.toml has version {ours}, not {version}: change it there, or tag v{ours}.", code=1)
    sys.stdout.write(released(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
