"""Environments that hold what a requirements file lists and nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv")


def do_without(what: str, debian: str) -> NoReturn:
    """Skip a test that needs a program; but not in CI on Linux, which installs them all."""
    reason = f"There is no {what} here; Debian has it in its package {debian}."
    if os.environ.get("CI") == "true" and sys.platform == "linux":
        pytest.fail(reason)
    pytest.skip(reason)


def copy_source(folder: Path) -> Path:
    """A copy of what is built, since building leaves files beside it."""
    folder.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements_dev.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "src", folder / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    return folder


def make_environment(folder: Path, requirements: str) -> Path:
    """Install this package with one of its requirements files into a new environment; its interpreter."""
    source, environment = copy_source(folder / "source"), folder / "environment"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def uv(*arguments: str | Path) -> None:
        done = subprocess.run([str(UV), *arguments], capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr

    uv("venv", "--python", "3.11", environment)
    uv("pip", "install", "--python", python, "-r", ROOT / requirements)
    uv("pip", "install", "--python", python, "--no-deps", source)
    return python
