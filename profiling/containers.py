"""How large the images are, how long they take to build and to start, and what memory they need.

python profiling/containers.py data/bucket data/sample            # about five minutes
python profiling/containers.py data/bucket data/sample --cold     # builds without the cache too: ten more

Each service runs as it is deployed: one CPU, 1 GiB, nothing to write to but a copy of the bucket. Images for training
are in the table if they are built, as animals-test-train and -train_gpu. Writes reports/containers.md and .json.
"""

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx
from machine import cpu_name, spread, system_name

ROOT: Final = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.containers.context import changed_context  # noqa: E402 - it is no installed package
from tests.containers.tool import BASE, Container, Tool, find_tool  # noqa: E402
from tests.support.emulator import free_port  # noqa: E402

SLIM: Final = 130
"""MB of the original python:3.11-slim, which may not be the base here."""

READY: Final = {"api": "/readyz", "frontend": "/_stcore/health", "report": "/healthz"}

STARTS: Final = 3

PICTURES: Final = 300
"""That are classified and judged before memory is looked at again."""


@dataclass(kw_only=True, slots=True)
class Measured:
    """One image."""

    name: str
    megabytes: float
    """With the base that is here."""
    above_base: float
    cold_seconds: float | None = None
    """To build without the cache, downloads included."""
    changed_seconds: float | None = None
    """To build after a change of code."""
    starts_seconds: list[float] = field(default_factory=list)
    """To the first good answer."""
    idle_megabytes: float | None = None
    loaded_megabytes: float | None = None


def main() -> None:
    """Measure, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bucket", type=Path, help="folder with a published model")
    parser.add_argument("pictures", type=Path, help="folder of folders of JPEG pictures")
    parser.add_argument("--cold", action="store_true", help="time builds without the cache too")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "containers.md", help="the report")
    arguments = parser.parse_args()
    tool = find_tool()
    if isinstance(tool, str):
        raise SystemExit(tool)
    pictures = sorted(arguments.pictures.glob("*/*.jp*g"))[:PICTURES]
    with tempfile.TemporaryDirectory() as folder:
        bucket = _open_to_all(shutil.copytree(arguments.bucket, Path(folder) / "bucket"))
        images = [built(tool, name, Path(folder) / name, cold=arguments.cold) for name in READY]
        for image in images:  # the backend first, which makes what is reported on
            run(tool, image, bucket, pictures)
    images += [sizes(tool, name) for name in ("train", "train_gpu") if _is_there(tool, name)]
    facts = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": cpu_name(),
        "system": system_name(),
        "load": os.getloadavg()[1],  # on Windows there is no tool to get here with
        "base_megabytes": _size(tool, BASE),
    }
    report = {**facts, "images": [asdict(image) for image in images]}
    arguments.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    arguments.out.write_text(as_markdown(facts, images), encoding="utf-8")


def built(tool: Tool, name: str, folder: Path, *, cold: bool) -> Measured:
    """An image with its size, and what building it costs."""
    began = time.perf_counter()
    tool.build(name, options=["--no-cache"] if cold else [])
    measured = sizes(tool, name)
    measured.cold_seconds = time.perf_counter() - began if cold else None
    context = changed_context(folder)
    began = time.perf_counter()
    tag = tool.build(name, context, tag=f"animals-test-{name}-changed")
    measured.changed_seconds = time.perf_counter() - began
    tool("rmi", tag)
    return measured


def run(tool: Tool, measured: Measured, bucket: Path, pictures: list[Path]) -> None:
    """Start a service some times; once, let it do its work."""
    name = measured.name
    for number in range(STARTS):
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        began = time.perf_counter()
        with tool.running(
            f"animals-test-{name}", "--env", f"PORT={port}", "--volume", f"{bucket}:/bucket"
        ) as container:
            container.wait_until_it_answers(f"{url}{READY[name]}")
            measured.starts_seconds.append(time.perf_counter() - began)
            if number == STARTS - 1:
                measured.idle_megabytes = _memory(tool, container)
                work(name, url, pictures)
                measured.loaded_megabytes = _memory(tool, container)


def work(name: str, url: str, pictures: list[Path]) -> None:
    """What the service is there for, a while."""
    if name == "report":
        httpx.get(f"{url}/generate_performance_report", timeout=300).raise_for_status()
    elif name == "api":
        with httpx.Client(base_url=url, timeout=30) as client:
            for path in pictures:
                answer = client.post("/classify/", files={"file": path.read_bytes()}).raise_for_status().json()
                judged = {"x": answer["prediction"], "prediction_id": answer["prediction_id"]}
                client.post("/post_data/", json=judged).raise_for_status()


def sizes(tool: Tool, name: str) -> Measured:
    """Of an image that is built."""
    size = _size(tool, f"animals-test-{name}")
    return Measured(name=name, megabytes=size, above_base=size - _size(tool, BASE))


HEAD: Final = (
    "image",
    "MB on the base here",
    "MB above it",
    f"MB on python:3.11-slim ({SLIM} MB)",
    "build without cache, s",
    "after a change of code, s",
    "start to the first good answer, s",
    "memory then, MB",
    "after work, MB",
)


def as_markdown(facts: dict[str, Any], images: list[Measured]) -> str:
    """The report, for people."""
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *map(_row, images)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"""# The images: size, build, start, memory

`python profiling/containers.py`, {facts["created"]}; {facts["processor"]}, {facts["system"]}, where {facts["load"]:.1f}
processes wanted a CPU meanwhile, in the mean of five minutes. Each service ran with one CPU, 1 GiB, a read-only root
and a folder as its bucket.

{table}

The base here has {facts["base_megabytes"]:,.0f} MB. Of several starts it is the median, with the least and the most in
brackets. Work is {PICTURES} pictures for the backend, each classified and judged, and then one whole report on them;
memory is the container's at that moment, with the pages of files that the system keeps for it.
"""


def _row(image: Measured) -> tuple[str, ...]:
    sizes = (image.megabytes, image.above_base, image.above_base + SLIM)
    memory = (image.idle_megabytes, image.loaded_megabytes)
    builds = (image.cold_seconds, image.changed_seconds)
    starts = spread(image.starts_seconds, "{:.1f}")
    return (image.name, *map(_number, sizes), *map(_number, builds), starts, *map(_number, memory))


def _size(tool: Tool, image: str) -> float:
    return float(tool.inspect("image", image)["Size"]) / 1e6


def _is_there(tool: Tool, name: str) -> bool:
    return bool(tool("images", "--quiet", f"animals-test-{name}"))


def _memory(tool: Tool, container: Container) -> float:
    """MB, as the tool says: such as 163.2MB / 1.074GB, or MiB in Docker's words."""
    said = tool("stats", "--no-stream", "--format", "{{.MemUsage}}", container.id).partition("/")[0].strip()
    [found] = re.findall(r"([\d.]+)([kMG]i?)B", said)
    units = {"k": 1e-3, "Ki": 1.024e-3, "M": 1.0, "Mi": 1.048576, "G": 1e3, "Gi": 1073.741824}
    return float(found[0]) * units[found[1]]


def _open_to_all(folder: Path) -> Path:
    """For a user in a container who is nobody here."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    return folder


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


if __name__ == "__main__":
    main()
