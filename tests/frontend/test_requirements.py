"""The page's own list of requirements is enough for it."""

import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.environments import UV, make_environment
from tests.support.process import running
from tests.support.stand_in import StandIn

RUN = """
import sys
from importlib.resources import files
from streamlit.testing.v1 import AppTest
page = AppTest.from_file(str(files("animals.frontend") / "app.py"), default_timeout=60).run()
next(button for button in page.button if button.label == "Cat").click()
page.run()
assert not page.exception
print(page.subheader[0].value)
assert (files("animals.frontend") / ".streamlit/config.toml").is_file()
for heavy in ("torch", "onnxruntime", "fastapi", "google.cloud.storage", "animals.storage"):
    assert heavy not in sys.modules, heavy
"""


@pytest.mark.skipif(UV is None, reason="uv is not installed")
def test_the_page_runs_in_an_environment_made_from_its_requirements_alone(
    tmp_path: Path, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = make_environment(tmp_path, "requirements_frontend.txt")
    monkeypatch.setenv("ANIMALS_BACKEND", stand_in.url)
    done = subprocess.run([python, "-c", RUN], capture_output=True, encoding="utf-8", cwd=tmp_path, check=False)
    assert done.stdout == "Cat\n", done.stderr
    with running(tmp_path, str(python), "-m", "animals.frontend") as page:
        assert httpx.get(f"{page.url}/_stcore/health").text == "ok"
        assert page.end() == 0
