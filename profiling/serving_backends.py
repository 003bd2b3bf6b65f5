"""The servers that `serving_bench.py` compares, and what each needs to be installed."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from serving_model import Setup
from serving_process import Backend

HERE: Final = Path(__file__).parent
SOURCE: Final = HERE.parent / "src"
PINNED: Final = ("onnxruntime", "numpy", "pillow", "pydantic")
"""What the other servers get in the same versions, since it computes the answers."""

PLAIN: Final = ("fastapi", "uvicorn[standard]", "python-multipart", "pillow", "timm", "torch", "torchvision")
FOREIGN: Final = {"litserve": ("litserve", "python-multipart"), "bentoml": ("bentoml",)}


class NotInstalled(RuntimeError):
    """An environment for another server could not be made; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A server that is compared."""

    backend: Backend
    python: str
    needs: tuple[str, ...]
    """Packages that its environment needs, with what they need; none: all that is in it."""

    def installed(self) -> dict[str, Any]:
        """What its environment takes, and the versions in it."""
        words = [sys.executable if self.needs else self.python, str(HERE / "installed_size.py")]
        done = subprocess.run([*words, *(self.needs or ["--all"])], capture_output=True, encoding="utf-8", check=True)  # noqa: S603
        found: dict[str, Any] = json.loads(done.stdout)
        return found


def ours(setup: Setup, bucket: str = "") -> Candidate:
    """This project's backend, with everything switched on that is by default, and signing."""
    environment = {"ANIMALS_BUCKET": bucket or str(setup.bucket), "ANIMALS_SECRET": "of the benchmark"}
    backend = Backend(name="ours", command=(sys.executable, "-m", "animals.serving"), environment=environment)
    lines = (HERE.parent / "requirements_backend.txt").read_text(encoding="utf-8").splitlines()
    needs = tuple(line.partition("==")[0] for line in lines if line[:1].isalpha())
    return Candidate(backend=backend, python=sys.executable, needs=needs)


def plain(setup: Setup) -> Candidate:
    """FastAPI and torch in 32 bits."""
    words = ("uvicorn", "--factory", "plain_server:create_app", "--app-dir", str(HERE), "--port", "{port}")
    backend = Backend(
        name="plain",
        command=(sys.executable, "-m", *words, "--log-level", "warning"),
        environment={"BENCH_VERSION": str(setup.version)},
        kind="torch",
    )
    return Candidate(backend=backend, python=sys.executable, needs=PLAIN)


def foreign(name: str, setup: Setup) -> Candidate:
    """LitServe or BentoML, in an environment of its own that is made for it.

    Raises:
        NotInstalled: it could not be made.
    """
    python = _make_environment(setup.folder / name, [*FOREIGN[name], "packaging", *_pins()])
    command: tuple[str, ...] = (python, str(HERE / "litserve_server.py"), "{port}")
    if name == "bentoml":
        words = ("serve", "bentoml_server:Animals", "--working-dir", str(HERE), "--host", "127.0.0.1", "--port")
        command = (python, "-m", "bentoml", *words, "{port}")
    environment = {
        "BENCH_VERSION": str(setup.version),
        "PYTHONPATH": f"{SOURCE}:{HERE}",
        "BENTOML_HOME": str(setup.folder / "bentoml_home"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    backend = Backend(name=name, command=command, environment=environment)
    return Candidate(backend=backend, python=python, needs=())


def _pins() -> list[str]:
    from importlib.metadata import version

    return [f"{name}=={version(name)}" for name in PINNED]


def _make_environment(folder: Path, packages: list[str]) -> str:
    uv = shutil.which("uv")
    if uv is None:
        raise NotInstalled("uv is not there, which makes its environment.")
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for words in (("venv", "--python", version, str(folder)), ("pip", "install", "--python", str(python), *packages)):
        done = subprocess.run([uv, *words], capture_output=True, encoding="utf-8", check=False)  # noqa: S603
        if done.returncode:
            raise NotInstalled(f"uv {words[0]} failed: {done.stderr.strip().splitlines()[-1:]}")
    return str(python)
