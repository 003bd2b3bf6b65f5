"""The backend's own list of requirements is enough for it."""

import subprocess
from pathlib import Path

import httpx
import pytest

from animals.storage import FolderStorage
from tests.support.environments import UV, make_environment
from tests.support.process import running
from tests.support.published import plain, publish


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_the_backend_starts_in_an_environment_made_from_its_requirements_alone(
    folder: FolderStorage, tmp_path: Path
) -> None:
    python = make_environment(tmp_path, "requirements_backend.txt")
    torch = subprocess.run([python, "-c", "import torch"], capture_output=True, encoding="utf-8", check=False)
    assert "No module named 'torch'" in torch.stderr

    publish(folder)
    with running(tmp_path, str(python), "-m", "animals.serving", ANIMALS_BUCKET=folder.url) as process:
        process.wait_until_ready()
        answer = httpx.post(f"{process.url}/classify/", files={"file": plain("blue", kind="JPEG")})
        assert answer.json()["prediction"] == "blue"
        assert process.end() == 0
