"""Files for GitHub and the cloud are checked by a tool that knows their format."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasking.repository import CHECKS
from tests.support.repository import tracked

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

CHECKED = {
    ".github/workflows/*.yml": ("workflows", "security", "workflows-schema"),
    ".github/dependabot.yml": ("dependabot-schema", "security"),
    ".pre-commit-config.yaml": ("pre-commit",),
    "cloudbuild_files/*.yaml": ("cloudbuild-schema",),
    "cloudbuild_files/alerts/*.yaml": ("tests/monitoring/test_alerts.py",),
    "cloudbuild_files/run/*.yaml": ("tests/cloud/test_run_files.py",),
    "cloudbuild_files/vertex/*.yaml": ("tests/cloud/test_vertex.py",),
    "compose.yaml": ("compose-schema",),
    "dockerfiles/*.dockerfile": ("dockerfiles",),
    "dockerfiles/prometheus/*.yml": ("tests/monitoring/test_alerts.py",),
    "mkdocs.yml": ("tests/docs/test_site.py",),
    "src/animals/config/conf/**/*.yaml": ("tests/config/test_compose.py",),
    "tests/monitoring/alerts_test.yml": ("tests/monitoring/test_alerts.py",),
}
"""Files, and what checks them: checks of `invoke lint`, or tests in which that reads them which takes such files."""

WRONG = {
    "dockerfiles": ("x.dockerfile", "FROM debian:12\nRUN cd /x && ls\n", "DL3003"),
    "workflows": ("x.yml", "STEP: run: echo ${{ github.nothing }}", '"nothing" is not defined'),
    "security": ("x.yml", "STEP: uses: actions/checkout@v7", "unpinned-uses"),
    "workflows-schema": ("x.yml", "STEP: ran: echo", "Schema validation errors"),
    "dependabot-schema": ("x.yml", "version: 3\nupdates: []\n", "Schema validation errors"),
    "compose-schema": ("x.yaml", "services:\n  api:\n    port: 8080\n", "Schema validation errors"),
    "cloudbuild-schema": ("x.yaml", "steps:\n  - image: python\n", "Schema validation errors"),
    "pre-commit": ("x.yaml", "repos:\n  - repo: local\n", "Missing required key: hooks"),
}
"""A mistake that each check finds, and how it calls it."""

WORKFLOW = """
on: push
permissions: {}
jobs:
  one:
    runs-on: ubuntu-latest
    timeout-minutes: 1
    steps:
      - """


def read(path: Path) -> dict[Any, Any]:
    """A file as YAML; in a workflow the key `on` is true."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def is_path(word: str) -> bool:
    return "*" in word or (ROOT / word).exists()


def test_every_file_of_a_known_kind_has_something_that_checks_it() -> None:
    kinds = (".yml", ".yaml", ".dockerfile")
    files = {path for path in tracked() if path.suffix in kinds or path.name.lower().startswith("dockerfile")}
    known = {path.relative_to(ROOT).as_posix() for pattern in CHECKED for path in ROOT.glob(pattern)}
    unknown = sorted(str(path) for path in files if (ROOT / path).exists() and str(path) not in known)
    assert not unknown, (
        f"Nothing checks {', '.join(unknown)}. Add a check to CHECKS in tasking/repository.py, or a test in which the "
        "program that takes such a file reads it, and name it in CHECKED of this file."
    )


@pytest.mark.parametrize("pattern", CHECKED)
def test_what_is_said_to_check_a_file_does(pattern: str) -> None:
    paths = sorted(ROOT.glob(pattern))
    assert paths, f"There is no {pattern} any more."
    for by in CHECKED[pattern]:
        if by in CHECKS:
            words = [word for word in CHECKS[by] if word.endswith((".yml", ".yaml", ".dockerfile"))]
            assert not words or pattern in words, f"`invoke lint --only {by}` looks at {words}, not at {pattern}."
        else:
            named = paths[0].parent.name if "*" in pattern else paths[0].stem
            assert re.search(rf"\b{named}\b", (ROOT / by).read_text(encoding="utf-8")), f"{by} has no word on {named}."


@pytest.mark.parametrize("check", WRONG)
def test_each_check_finds_a_mistake(check: str, tmp_path: Path) -> None:
    name, text, complaint = WRONG[check]
    (tmp_path / name).write_text(text.replace("STEP: ", WORKFLOW), encoding="utf-8")
    program, *words = CHECKS[check]
    found = shutil.which(program, path=Path(sys.executable).parent)
    if found is None and sys.platform == "win32":
        pytest.skip("hadolint has no wheel for Windows.")
    command = [str(found), *(word for word in words if not is_path(word)), str(tmp_path / name)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode
    assert complaint in done.stdout + done.stderr


def test_every_check_of_files_is_tried() -> None:
    assert set(WRONG) == set(CHECKS) - {"style", "form", "phrases", "types", "imports", "dependencies"}


def test_a_commit_runs_the_same_checks() -> None:
    hooks = read(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    named = {match[1] for hook in hooks if (match := re.search(r"--only ([\w-]+)", hook["entry"]))}
    assert named == set(WRONG) | {"types", "imports"}


def test_an_action_is_pinned_by_its_commit_and_everywhere_by_the_same() -> None:
    commits = defaultdict(set)
    for path in WORKFLOWS:
        for line in path.read_text(encoding="utf-8").splitlines():
            if "uses:" in line:
                pin = re.search(r"uses: ([\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$", line)
                assert pin, f"{path.name}: {line.strip()}"
                commits[pin[1]].add((pin[2], pin[3]))
    assert len(commits) > 5
    assert not {action: pins for action, pins in commits.items() if len(pins) > 1}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_nothing_that_a_job_does_not_ask_for_and_does_not_pile_up(path: Path) -> None:
    workflow = read(path)
    assert workflow["permissions"] == {}
    parts = [workflow] if "concurrency" in workflow else list(workflow["jobs"].values())
    assert all(part["concurrency"]["group"] for part in parts)


def test_the_one_required_check_waits_for_every_job() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]
    assert jobs["passed"]["if"] == "always()"
    assert set(jobs["passed"]["needs"]) == set(jobs) - {"passed"}


@pytest.mark.skipif(sys.platform == "win32", reason="it is a line for the shell of Linux")
@pytest.mark.parametrize(
    ("results", "passes"),
    [
        ("success success", True),
        ("success", True),
        ("success failure", False),
        ("cancelled success", False),
        ("skipped", False),
    ],
)
def test_the_one_required_check_passes_only_if_every_job_has(results: str, passes: bool) -> None:
    (step,) = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["passed"]["steps"]
    assert step["env"] == {"RESULTS": "${{ join(needs.*.result, ' ') }}"}
    done = subprocess.run(["bash", "-e", "-c", step["run"]], env={"RESULTS": results}, check=False)  # noqa: S607
    assert (done.returncode == 0) is passes


def test_the_tests_run_on_every_system_with_every_python_that_we_promise() -> None:
    matrix = read(ROOT / ".github" / "workflows" / "tests.yml")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["system"] == ["ubuntu-latest", "windows-latest", "macos-latest"]
    promised = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    first, end = re.findall(r"3\.(\d+)", promised)
    assert matrix["python"] == [f"3.{minor}" for minor in range(int(first), int(end))]
