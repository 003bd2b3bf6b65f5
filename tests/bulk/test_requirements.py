"""The command's own list of requirements is enough for it."""

import subprocess
from pathlib import Path

import pytest

from tests.support.environments import UV, make_environment


@pytest.mark.skipif(UV is None, reason="uv is not installed")
@pytest.mark.usefixtures("models", "photos")
def test_the_command_works_in_an_environment_made_from_its_requirements_alone(tmp_path: Path) -> None:
    python = make_environment(tmp_path, "requirements_bulk.txt")
    words = [str(python), "-m", "animals", "classify", "photos", "--out", "p.parquet"]
    done = subprocess.run([*words, "--workers", "2"], capture_output=True, encoding="utf-8", check=False)
    assert "4 pictures by r1, 4 of them now" in done.stdout, done.stderr
    without = subprocess.run(
        [*words[:-1], "r.parquet", "--engine", "ray"], capture_output=True, encoding="utf-8", check=False
    )
    assert without.returncode == 2
    assert without.stderr == "error: --engine ray needs Ray, which is not installed: pip install 'ray[data]'\n"
