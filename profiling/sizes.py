"""How many bytes the services write and send for a picture: an answer, a judgement, a log line, a visit to the page.

    python profiling/sizes.py

A backend with a seeded ResNet-18 answers pictures, as on Cloud Run, and takes judgements with the picture to keep, into
a bucket that is a folder; then bucket and log are weighed. Debian's Chromium, without a cache, opens the page and tries
an example. `invoke cost` works with what comes out: reports/sizes.json.
"""

import argparse
import base64
import json
import shlex
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from machine import cpu_name, system_name
from serving_backends import ours
from serving_model import VERSION, Setup, read_questions
from serving_process import Server
from serving_setup import add_options, published

from animals.cli import exit_on_error

if TYPE_CHECKING:
    from playwright.sync_api import Page

OUT: Final = Path("reports", "sizes.json")
CLOUD: Final = {"K_SERVICE": "animals-backend", "GOOGLE_CLOUD_PROJECT": "a-project-of-mine"}
"""What makes the service log as on Cloud Run."""

TRACE: Final = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
"""As Google's proxy sends it."""

PATIENCE: Final = 120.0
"""Seconds."""


def main() -> None:
    """Weigh, write and show."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser, OUT)
    arguments = parser.parse_args()
    with exit_on_error(), published(arguments) as setup:
        report = {
            "command": shlex.join(["python", "profiling/sizes.py", *sys.argv[1:]]),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "cpu": cpu_name(),
            "system": system_name(),
            "model": f"{setup.architecture} at {setup.side} pixels",
            "bytes": weigh(setup),
        }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report["bytes"], indent=2) + "\n")


def weigh(setup: Setup) -> dict[str, float]:
    """Bytes of everything, and the requests of a visit."""
    backend, log = ours(setup).backend, setup.folder / "backend.log"
    in_cloud = replace(backend, environment={**backend.environment, **CLOUD})
    pictures = [*sorted((setup.folder / "small").iterdir()), *sorted((setup.folder / "camera").iterdir())]
    with Server(in_cloud, None, log) as server:
        server.wait(read_questions(setup, "int8", "small")[0])
        before = log.stat().st_size
        answers = [ask(server.base, path) for path in pictures]
        lines = log.read_bytes()[before:].splitlines()
        visit = visit_page(server.base)
    return {
        "answer": statistics.mean(answers),
        "log_line": statistics.mean(len(line) + 1 for line in lines),
        **weigh_bucket(setup),
        **visit,
    }


def ask(base: str, path: Path) -> int:
    """Bytes of the answer to a picture, which is judged and kept too."""
    data = path.read_bytes()
    with httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE, headers=TRACE) as client:
        answer = client.post("/classify/", files={"file": data}).raise_for_status()
        found = answer.json()
        judgement = {"x": found["prediction"], "prediction_id": found["prediction_id"]}
        picture = base64.b64encode(data).decode()
        client.post("/post_data/", json={**judgement, "picture": picture}).raise_for_status()
    return sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) + len(answer.content)


def weigh_bucket(setup: Setup) -> dict[str, float]:
    """Bytes of the records, of a large picture that was kept, and of the version."""
    bucket = setup.bucket
    logs = [path.read_bytes().splitlines() for path in bucket.glob("predictions/*/*.jsonl")]
    return {
        "logged": statistics.mean(len(line) + 1 for lines in logs for line in lines),
        "judgement": statistics.mean(sizes(sorted(bucket.glob("feedback/date=*/*.json")))),
        "kept_picture": max(sizes(sorted(bucket.glob("feedback/pictures/*/*.jpg")))),
        "version": sum(sizes(sorted((bucket / "models" / VERSION).iterdir()))),
    }


def sizes(paths: Sequence[Path]) -> list[int]:
    """Of the files, in bytes."""
    return [path.stat().st_size for path in paths]


def visit_page(backend: str) -> dict[str, float]:
    """Bytes that reach a browser which opens the page and asks about an example, for the first time and again."""
    from playwright.sync_api import expect, sync_playwright
    from screenshots import bring, serving, visit

    found: dict[str, float] = {}
    with serving("animals.frontend", "/_stcore/health", {"ANIMALS_BACKEND": backend}) as address:
        expect.set_options(timeout=PATIENCE * 1000)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            with visit(browser, "about:blank") as page:
                for name in ("visit", "again"):
                    wire = Wire(page)
                    page.goto(address)
                    bring(page, "Horse")
                    page.wait_for_timeout(2_000)  # what is drawn last
                    found |= {name: wire.bytes, f"{name}_requests": wire.requests}
                    page.goto("about:blank")
            browser.close()
    return found


class Wire:
    """Counts what a page of a browser gets from now on; not what it has in its cache."""

    def __init__(self, page: "Page") -> None:
        self.bytes = 0.0
        self.requests = 0.0
        session = page.context.new_cdp_session(page)
        session.on("Network.loadingFinished", self._loaded)
        session.on("Network.webSocketFrameReceived", self._told)
        session.send("Network.enable")

    def _loaded(self, event: dict[str, Any]) -> None:
        self.bytes += event["encodedDataLength"]
        self.requests += event["encodedDataLength"] > 0

    def _told(self, event: dict[str, Any]) -> None:
        self.bytes += len(base64.b64decode(event["response"]["payloadData"]))  # Streamlit's frames are binary


if __name__ == "__main__":
    main()
