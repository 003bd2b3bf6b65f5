"""Benchmarks as a person runs them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_benchmark(module: str, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m profiling.MODULE` in a folder."""
    command = [sys.executable, "-m", f"profiling.{module}", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, encoding="utf-8", check=False)
