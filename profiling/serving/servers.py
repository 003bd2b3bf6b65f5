"""The servers that `bench.py` compares, and the environment of each."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from profiling.serving.model import Setup
from profiling.serving.process import ServerCommand

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[1]
PINNED: Final = ("onnxruntime", "numpy", "pillow", "pydantic")
"""Installed for other servers in the same versions, since they compute the answers."""

PLAIN: Final = ("fastapi", "uvicorn[standard]", "python-multipart", "pillow", "timm", "torch", "torchvision")
OTHERS: Final = {"litserve": ("litserve", "python-multipart"), "bentoml": ("bentoml",)}


class NotInstalled(RuntimeError):
    """The environment of another server could not be made; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedServer:
    """A server and its environment."""

    command: ServerCommand
    python: str
    packages: tuple[str, ...]
    """Packages that it needs besides their dependencies; none: everything in its environment."""

    def installed(self) -> dict[str, Any]:
        """Return the MB that its environment takes, and the versions in it."""
        words = [self.python, str(HERE / "installed_size.py"), *(self.packages or ["--all"])]
        output = subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout  # noqa: S603 - ours
        sizes: dict[str, Any] = json.loads(output)
        return sizes


def this_backend(setup: Setup, bucket: str = "") -> ComparedServer:
    """Return this project's backend with its default settings, and signing."""
    environment = {"ANIMALS_BUCKET": bucket or str(setup.bucket), "ANIMALS_SECRET": "of the benchmark"}
    command = ServerCommand(name="ours", command=(sys.executable, "-m", "animals.serving"), environment=environment)
    lines = (ROOT / "requirements_backend.txt").read_text(encoding="utf-8").splitlines()
    packages = tuple(line.partition("==")[0] for line in lines if line[:1].isalpha())
    return ComparedServer(command=command, python=sys.executable, packages=packages)


def plain_server(setup: Setup) -> ComparedServer:
    """Return FastAPI with torch in 32 bits."""
    words = ("uvicorn", "--factory", "profiling.serving.plain_server:create_app", "--app-dir", str(ROOT))
    command = ServerCommand(
        name="plain",
        command=(sys.executable, "-m", *words, "--port", "{port}", "--log-level", "warning"),
        environment={"BENCH_VERSION": str(setup.version)},
        kind="torch",
    )
    return ComparedServer(command=command, python=sys.executable, packages=PLAIN)


def other_server(name: str, setup: Setup) -> ComparedServer:
    """Install LitServe or BentoML into an environment of its own.

    Raises:
        NotInstalled: the environment could not be made.
    """
    pins = [f"{package}=={version(package)}" for package in PINNED]
    python = _make_environment(setup.folder / name, [*OTHERS[name], "packaging", *pins])
    words: tuple[str, ...] = ("profiling.serving.litserve_server", "{port}")
    if name == "bentoml":
        words = ("bentoml", "serve", "profiling.serving.bentoml_server:Animals", "--working-dir", str(HERE))
        words += ("--host", "127.0.0.1", "--port", "{port}")
    environment = {
        "BENCH_VERSION": str(setup.version),
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        "BENTOML_HOME": str(setup.folder / "bentoml_home"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    command = ServerCommand(name=name, command=(python, "-m", *words), environment=environment)
    return ComparedServer(command=command, python=python, packages=())


def _make_environment(folder: Path, packages: list[str]) -> str:
    uv = shutil.which("uv")
    if uv is None:
        raise NotInstalled("uv is not installed; it makes the environment.")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for words in (
        ("venv", "--allow-existing", "--python", version, str(folder)),
        ("pip", "install", "--python", str(python), *packages),
    ):
        done = subprocess.run([uv, *words], capture_output=True, encoding="utf-8", check=False)  # noqa: S603 - ours
        if done.returncode:
            raise NotInstalled(f"uv {words[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return str(python)
