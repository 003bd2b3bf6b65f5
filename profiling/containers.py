"""Measure size, build, start and memory of the images.

    python -m profiling.containers data/bucket data/sample            # about five minutes
    python -m profiling.containers data/bucket data/sample --cold     # also builds without the cache: ten more

Each service runs as it is deployed: one CPU, 1 GiB, a read-only root and a folder as bucket. Images for training are
measured if they are built, as animals-bench-train and animals-bench-train_gpu. Results: reports/containers.md.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from animals.cli import exit_on_error
from animals.errors import AnimalsError
from animals.markdown import table
from profiling.machine import median_and_range
from profiling.results import conditions, heading, write
from profiling.serving.process import free_port

ROOT: Final = Path(__file__).parents[1]
OUT: Final = Path("reports", "containers.json")
BASE: Final = "docker.io/library/python:3.11-slim"
SLIM: Final = 130
"""MB of that base in its registry; a local one may have certificates or the like added."""

READY: Final = {"api": "/readyz", "frontend": "/_stcore/health", "report": "/healthz"}
LIMITS: Final = ("--memory", "1g", "--cpus", "1", "--read-only", "--tmpfs", "/tmp")  # noqa: S108 - in the container
STARTS: Final = 3
PICTURES: Final = 300
"""Classified, with feedback, before memory is measured again."""
START_SECONDS: Final = 120

Tool = Callable[..., str]
"""Runs a command of Docker or podman, and returns its output."""


@dataclass(kw_only=True, slots=True)
class Measurement:
    """The results of one image."""

    name: str
    megabytes: float
    """With the local base."""
    above_base: float
    cold_seconds: float | None = None
    """Of a build without the cache, downloads included."""
    changed_seconds: float | None = None
    """Of a build after a change of code."""
    starts_seconds: list[float] = field(default_factory=list)
    """Until the first good answer."""
    idle_megabytes: float | None = None
    loaded_megabytes: float | None = None


def main() -> None:
    """Measure, write and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bucket", type=Path, help="folder with a published model")
    parser.add_argument("pictures", type=Path, help="folder of label folders of JPEG pictures")
    parser.add_argument("--cold", action="store_true", help="time builds without the cache too")
    parser.add_argument(
        "--tool", default="docker", help='docker, or podman with options, as in "podman --runtime runc"'
    )
    parser.add_argument("--out", type=Path, default=OUT, help=f"[{OUT}]")
    arguments = parser.parse_args()
    tool = container_tool(shlex.split(arguments.tool))
    pictures = sorted(arguments.pictures.glob("*/*.jp*g"))[:PICTURES]
    with exit_on_error(), tempfile.TemporaryDirectory() as folder:
        bucket = _writable_for_all(shutil.copytree(arguments.bucket, Path(folder) / "bucket"))
        images = [build(tool, name, Path(folder) / name, cold=arguments.cold) for name in READY]
        for image in images:  # the backend first: it makes the records that are reported on
            run(tool, image, bucket, pictures)
        built = tool("images", "--format", "{{.Repository}}")
        images += [size(tool, name) for name in ("train", "train_gpu") if f"animals-bench-{name}\n" in f"{built}\n"]
        load, base = os.getloadavg()[1], _megabytes(tool, BASE)
    result = {**conditions(), "load": load, "base_megabytes": base, "images": [asdict(image) for image in images]}
    write(result, markdown(result, images), arguments.out)


def container_tool(command: Sequence[str]) -> Tool:
    """Return a function that runs a container tool's commands.

    With podman, set BUILDAH_FORMAT=docker, which has health checks, and where needed BUILDAH_ISOLATION=chroot.
    """

    def run(*words: str | Path) -> str:
        done = subprocess.run([*command, *words], capture_output=True, encoding="utf-8", check=False)  # noqa: S603
        if done.returncode:
            raise AnimalsError(f"{command[0]} {words[0]} ended with {done.returncode}: {done.stderr[-1000:]}")
        return done.stdout.strip()

    return run


def build(tool: Tool, name: str, folder: Path, *, cold: bool) -> Measurement:
    """Build an image, and again after a change of code."""

    def timed(context: Path, *options: str) -> float:
        began = time.perf_counter()
        file = context / "dockerfiles" / f"{name}.dockerfile"
        tool("build", *options, "--tag", f"animals-bench-{name}", "--file", file, context)
        return time.perf_counter() - began

    seconds = timed(ROOT, *(["--no-cache"] if cold else []))
    measurement = size(tool, name)
    measurement.cold_seconds = seconds if cold else None
    measurement.changed_seconds = timed(_changed_copy(folder))
    return measurement


def _changed_copy(folder: Path) -> Path:
    """Copy the files that images are built from, and change a module of the backend."""
    folder.mkdir()
    for name in ("src", "dockerfiles"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", ".dockerignore"):
        shutil.copy2(ROOT / name, folder)
    for path in ROOT.glob("requirements*.txt"):
        shutil.copy2(path, folder)
    with (folder / "src" / "animals" / "serving" / "app.py").open("a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")
    return folder


def run(tool: Tool, measurement: Measurement, bucket: Path, pictures: list[Path]) -> None:
    """Start a service several times; let it work once."""
    name = measurement.name
    for number in range(STARTS):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        options = ("--env", f"PORT={port}", "--volume", f"{bucket}:/bucket", "--network", "host")
        began = time.perf_counter()
        with running(tool, f"animals-bench-{name}", *options) as container:
            wait(f"{url}{READY[name]}")
            measurement.starts_seconds.append(time.perf_counter() - began)
            if number == STARTS - 1:
                measurement.idle_megabytes = _memory(tool, container)
                work(name, url, pictures)
                measurement.loaded_megabytes = _memory(tool, container)


@contextmanager
def running(tool: Tool, image: str, *options: str) -> Iterator[str]:
    """Run a container under the limits of a service, and yield its id."""
    container = tool("run", "--detach", *LIMITS, *options, image).splitlines()[-1]
    try:
        yield container
    finally:
        tool("rm", "--force", container)


def wait(url: str) -> None:
    """Wait until a service answers.

    Raises:
        AnimalsError: it takes over two minutes.
    """
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=10).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.2)
    raise AnimalsError(f"{url} does not answer.")


def work(name: str, url: str, pictures: list[Path]) -> None:
    """Let a service do its usual work."""
    if name == "report":
        httpx.get(f"{url}/generate_performance_report", timeout=300).raise_for_status()
    elif name == "api":
        with httpx.Client(base_url=url, timeout=30) as client:
            for path in pictures:
                answer = client.post("/classify/", files={"file": path.read_bytes()}).raise_for_status().json()
                feedback = {"x": answer["prediction"], "prediction_id": answer["prediction_id"]}
                client.post("/post_data/", json=feedback).raise_for_status()


def size(tool: Tool, name: str) -> Measurement:
    """Measure the size of an image."""
    megabytes = _megabytes(tool, f"animals-bench-{name}")
    return Measurement(name=name, megabytes=megabytes, above_base=megabytes - _megabytes(tool, BASE))


def markdown(result: dict[str, Any], images: list[Measurement]) -> str:
    """Return the page."""
    head = ["image", "MB on the local base", "MB above it", f"MB on python:3.11-slim ({SLIM} MB)"]
    head += ["build without cache, s", "after a change of code, s", "start to the first good answer, s"]
    parts = [
        heading("The images: size, build, start, memory", result),
        f"Each service with one CPU, 1 GiB, a read-only root and a folder as bucket. The local base has "
        f"{result['base_megabytes']:,.0f} MB. Starts are medians and ranges. Work is {PICTURES} pictures for the "
        "backend, each classified and with feedback, then one whole report on them; memory is the container's at that "
        f"moment, including cached files. The machine's load average was {result['load']:.1f}.",
        table([*head, "memory then, MB", "after work, MB"], map(_row, images)),
    ]
    return "\n\n".join(parts) + "\n"


def _row(image: Measurement) -> list[str]:
    numbers = (image.megabytes, image.above_base, image.above_base + SLIM, image.cold_seconds, image.changed_seconds)
    memory = (image.idle_megabytes, image.loaded_megabytes)
    starts = median_and_range(image.starts_seconds, "{:.1f}")
    return [image.name, *map(_number, numbers), starts, *map(_number, memory)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _megabytes(tool: Tool, image: str) -> float:
    return float(json.loads(tool("image", "inspect", image))[0]["Size"]) / 1e6


def _memory(tool: Tool, container: str) -> float:
    """Return the MB that the tool shows, such as 163.2MB / 1.074GB, or MiB with Docker."""
    shown = tool("stats", "--no-stream", "--format", "{{.MemUsage}}", container).partition("/")[0].strip()
    [found] = re.findall(r"([\d.]+)([kMG]i?)B", shown)
    units = {"k": 1e-3, "Ki": 1.024e-3, "M": 1.0, "Mi": 1.048576, "G": 1e3, "Gi": 1073.741824}
    return float(found[0]) * units[found[1]]


def _writable_for_all(folder: Path) -> Path:
    """Let the unprivileged user of a container write."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


if __name__ == "__main__":
    main()
