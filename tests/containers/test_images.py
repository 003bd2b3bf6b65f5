"""What is in the images, what is not, and what building them again costs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.containers.conftest import VERSION, Build
from tests.containers.tool import Tool
from tests.support.environments import ROOT, copy_source

SERVICES = ("api", "frontend", "report")

LARGEST = {"api": 270, "frontend": 470, "report": 770}
"""MB above the base image. With the 130 MB of python:3.11-slim: 400, 600 and 900."""

LOOK = """
import importlib.util, json, os, pathlib, shutil, sys
libraries = ("torch", "nvidia", "triton", "fastapi", "onnxruntime", "streamlit", "evidently", "pytest", "uv")
root = pathlib.Path("/")
found = {
    "uid": os.getuid(),
    "libraries": [name for name in libraries if importlib.util.find_spec(name)],
    "tools": [name for name in ("cc", "gcc", "ld", "strip", "git", "uv") if shutil.which(name)],
    "caches": [str(path) for path in (root / "root/.cache", root / "build") if os.path.exists(path)],
    "written": [str(path) for path in (root / "opt/venv", root / "opt/animals") if os.access(path, os.W_OK)],
    "secrets": [name for name in os.environ if any(word in name for word in ("KEY", "SECRET", "TOKEN", "PASSWORD"))],
    "ours": sorted(path.name for path in pathlib.Path("/opt/animals").iterdir()),
}
print(json.dumps(found))
"""

NEEDED = {
    "api": {"fastapi", "onnxruntime"},
    "frontend": {"streamlit"},
    "report": {"evidently"},
}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_what_its_service_needs_and_no_torch_compiler_cache_or_secret(
    name: str, tool: Tool, image: Build
) -> None:
    words = ("run", "--rm", "--read-only", "--network", "none", "--entrypoint", "python", image(name), "-c", LOOK)
    found = json.loads(tool(*words).splitlines()[-1])
    assert found.pop("uid") == 10001
    assert set(found.pop("libraries")) == NEEDED[name]
    assert found.pop("ours")[0] == "animals"
    assert found == {"tools": [], "caches": [], "written": [], "secrets": []}


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_says_what_it_is_and_stays_small(name: str, tool: Tool, image: Build) -> None:
    described = tool.inspect("image", image(name))
    config: dict[str, Any] = described["Config"]
    assert config["User"] == "10001"
    assert "Healthcheck" in config or "Healthcheck" in described
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in config["Labels"].items()}
    assert {"title", "description"} <= set(labels)
    assert labels["licenses"] == "MIT"
    assert (labels["version"], labels["revision"]) == (VERSION, "0123abc")
    base = tool.inspect("image", "docker.io/library/python:3.11-slim")
    assert (described["Size"] - base["Size"]) / 1e6 < LARGEST[name]


def test_after_a_change_of_code_the_libraries_are_not_installed_again(tool: Tool, image: Build, tmp_path: Path) -> None:
    before = tool.inspect("image", image("api"))["RootFS"]["Layers"]
    context = copy_source(tmp_path / "context")
    shutil.copytree(ROOT / "dockerfiles", context / "dockerfiles")
    for path in (ROOT / ".dockerignore", *ROOT.glob("requirements*.txt")):
        shutil.copy2(path, context)
    with (context / "src" / "animals" / "serving" / "app.py").open("a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")
    tag = tool.build("api", context, tag="animals-test-api-changed", VERSION=VERSION, REVISION="4567def")
    after = tool.inspect("image", tag)["RootFS"]["Layers"]
    tool("rmi", tag)
    assert [old == new for old, new in zip(before, after, strict=True)].count(False) == 1
    assert before[-1] != after[-1]
