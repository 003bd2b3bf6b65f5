"""The backend's own list of requirements is enough for it."""

import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from animals.storage import FolderStorage
from tests.serving.published import plain, publish
from tests.serving.test_process import running

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv")


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_the_backend_starts_in_an_environment_made_from_its_requirements_alone(
    folder: FolderStorage, tmp_path: Path
) -> None:
    source, environment = tmp_path / "source", tmp_path / "environment"
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    source.mkdir()  # built in a copy, since building leaves files beside the source
    for name in ("pyproject.toml", "README.md", "LICENSE", "requirements_dev.txt"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))

    def uv(*arguments: str | Path) -> None:
        done = subprocess.run([str(UV), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    uv("venv", "--python", "3.11", environment)
    uv("pip", "install", "--python", python, "-r", ROOT / "requirements_backend.txt")
    uv("pip", "install", "--python", python, "--no-deps", source)
    torch = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True, check=False)
    assert "No module named 'torch'" in torch.stderr

    publish(folder)
    with running(tmp_path, str(python), "-m", "animals.serving", ANIMALS_BUCKET=folder.url) as process:
        process.wait_until_ready()
        answer = httpx.post(f"{process.url}/classify/", files={"file": plain("blue", kind="JPEG")})
        assert answer.json()["prediction"] == "blue"
        assert process.end() == 0
