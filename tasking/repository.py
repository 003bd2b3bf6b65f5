"""This repository."""

import re
import shutil
import sys
import tomllib

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from tasking.shell import ROOT, python, run, tool, words

GROUPS = {
    "dev": "_dev",
    "train": "",
    "backend": "_backend",
    "bulk": "_bulk",
    "frontend": "_frontend",
    "report": "_report",
}
"""Dependency group -> ending of its requirements file. The first holds all others, which follow its versions."""


@task(
    help={
        "args": 'of pytest, as in --args "tests/data -k split"',
        "all": "also run the tests that take minutes: trainings from scratch, kills by the hundred",
    }
)
def test(_: Context, args: str = "", all: bool = False) -> None:
    """Run the tests with coverage, or those of --args without.

    Tests marked `minutes` are left out unless --all is given.

    For example: invoke test --args "tests/test_storage.py -k generation"
    """
    if args:
        python("pytest", *words(args))
        return
    python("coverage", "erase")
    # files, not tests, are spread over the CPUs: what a file's tests share is made once
    spread = ("--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile", "--no-loadscope-reorder")
    python("pytest", "--cov", "--cov-report=", *spread, *(() if all else ("-m", "not minutes")))
    python("coverage", "report")
    if not all:
        sys.stdout.write(f"Left out: the tests marked `minutes` ({_slow_tests()}). Run all: invoke test --all\n")


def _slow_tests() -> str:
    """Return the files that have tests marked `minutes`."""
    files = [path for path in (ROOT / "tests").rglob("test_*.py") if "mark.minutes" in path.read_text(encoding="utf-8")]
    return ", ".join(sorted(path.relative_to(ROOT).as_posix() for path in files))


SCHEMA = ("check-jsonschema", "--builtin-schema")
CHECKS: dict[str, tuple[str, ...]] = {
    "style": ("ruff", "check"),
    "form": ("ruff", "format", "--check"),
    "phrases": ("python", "-m", "tasking.phrases"),
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
"""What `invoke lint` runs: a name, and the program with its arguments, where * is expanded to files."""


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
    """Check the code, and every other file that a tool knows.

    Style, types, import contracts, dependencies, Dockerfiles, workflows, settings.

    For example: invoke lint --only types
    """
    if only and only not in CHECKS:
        raise Exit(f"There is no check {only}. There are: {', '.join(CHECKS)}.", code=2)
    for name in [only] if only else CHECKS:
        check(name)


@task(name="format")
def format_code(_: Context) -> None:
    """Format the code.

    For example: invoke format
    """
    python("ruff", "check", "--fix")
    python("ruff", "format")


@task(help={"serve": "show it on http://localhost:8100 while you write, instead of building it into build/site"})
def docs(_: Context, serve: bool = False) -> None:
    """Build the documentation, or show it while you write.

    Its reference is made from the code; a broken link is an error.

    For example: invoke docs --serve
    """
    # without --quiet, which would keep it from counting its warnings
    what = ["serve", "--dev-addr", "localhost:8100"] if serve else ["build"]
    python("mkdocs", *what, "--strict", NO_MKDOCS_2_WARNING="1")  # the theme's makers announce another program


@task(help={"upgrade": "take the newest versions instead of keeping those that still fit"})
def requirements(_: Context, upgrade: bool = False) -> None:
    """Compile the dependency groups into requirements files.

    The groups are those of pyproject.toml; the files pin what each of them needs.

    For example: invoke requirements --upgrade
    """
    everything = f"requirements{GROUPS['dev']}.txt"
    for group, ending in GROUPS.items():
        out = f"requirements{ending}.txt"
        extra = (["--upgrade"] if upgrade else []) if out == everything else ["--constraint", everything]
        run(
            *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
            *("--group", group, *extra, "--output-file", out, "--custom-compile-command", "invoke requirements"),
        )


@task
def package(_: Context) -> None:
    """Build wheel and source distribution, and try the wheel.

    They are built into dist/, and the wheel is tried in an environment of its own.

    For example: invoke package
    """
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


def changelog_section(version: str, changelog: str) -> str:
    """Return the section of a version in a changelog.

    Raises:
        Exit: there is none, or it has no date.
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
    """Show a version's section of the changelog.

    This becomes the text of its release.

    For example: invoke release-notes 0.2.0
    """
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if version != ours:
        raise Exit(f"pyproject.toml has version {ours}, not {version}: change it there, or tag v{ours}.", code=1)
    sys.stdout.write(changelog_section(version, (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")))
