"""Environments that hold what a requirements file lists and nothing else."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
UV = shutil.which("uv")


def make_environment(folder: Path, requirements: str) -> Path:
    """Install this package with one of its requirements files into a new environment; its interpreter."""
    source, environment = folder / "source", folder / "environment"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    source.mkdir()  # built in a copy, since building leaves files beside the source
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements_dev.txt"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))

    def uv(*arguments: str | Path) -> None:
        done = subprocess.run([str(UV), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    uv("venv", "--python", "3.11", environment)
    uv("pip", "install", "--python", python, "-r", ROOT / requirements)
    uv("pip", "install", "--python", python, "--no-deps", source)
    return python
