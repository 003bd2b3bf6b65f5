"""The commands and services of a feedback loop, as processes that work in one folder and bucket."""

import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import httpx

from animals.storage import FolderStorage
from tests.support.emulator import free_port

TRAINING: Final = (
    *(
        "-m",
        "animals",
        "train",
        "experiment=folder",
        "method=full",
        "data.root=pictures",
        "data.test=0.3",
        "data.side=32",
    ),
    *("data.workers=0", "model.name=test_resnet", "augment.color=0", "trainer.epochs=10", "trainer.batch_size=16"),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled"),
)
"""Arguments of Python for a training of seconds, with the label folders in `pictures`."""


class Classified(NamedTuple):
    """A picture with its label and the backend's response."""

    label: str
    data: bytes
    response: dict[str, Any]


class FeedbackLoop:
    """A folder with pictures and a bucket, the commands that run there, and the services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bucket = FolderStorage(folder / "bucket")
        self.ports = {name: free_port() for name in ("backend", "page", "report")}
        self.environment = {
            **os.environ,
            "ANIMALS_BUCKET": self.bucket.url,
            "ANIMALS_RELOAD_SECONDS": "0.5",
            "OMP_WAIT_POLICY": "PASSIVE",
        }

    def python(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run Python in the folder."""
        command = [sys.executable, *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, encoding="utf-8", check=False
        )

    def run(self, *arguments: str) -> str:
        """Run Python in the folder, and return its output after it has succeeded."""
        done = self.python(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def services(self) -> Iterator[None]:
        """Run backend, page and report function by `animals up`."""
        ports = [f"--{name}-port={port}" for name, port in self.ports.items()]
        command = [sys.executable, "-m", "animals", "up", *ports]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        try:
            self.wait_until(lambda: "All services run." in self.log or process.poll() is not None)
            yield
            process.terminate()
            assert process.wait(30) == 0, self.log
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        """Output of the services."""
        return (self.folder / "log").read_text(errors="replace", encoding="utf-8")

    def wait_until(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 120
        while not condition():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def served_version(self) -> str | None:
        version: str | None = httpx.get(self.url("backend")).raise_for_status().json()["model_version"]
        return version

    def classify(self, pictures: Path) -> list[Classified]:
        """Classify each picture in label folders."""
        results = []
        with httpx.Client(base_url=self.url("backend")) as client:
            for path in sorted(pictures.glob("*/*.jpg")):
                data = path.read_bytes()
                response = client.post("/classify/", files={"file": (path.name, data)}).raise_for_status().json()
                results.append(Classified(path.parent.name, data, response))
        return results

    def accuracy(self, pictures: Path) -> float:
        """Return the share of the pictures in label folders that are classified correctly."""
        results = self.classify(pictures)
        return sum(bool(result.response["prediction"] == result.label) for result in results) / len(results)

    def give_feedback(self, pictures: Path) -> None:
        """Classify the pictures in label folders, and send their labels and files as feedback."""
        with httpx.Client(base_url=self.url("backend")) as client:
            for label, data, response in self.classify(pictures):
                body = {"x": label, "prediction_id": response["prediction_id"], "picture": b64encode(data).decode()}
                stored = client.post("/post_data/", json=body).raise_for_status().json()
                assert stored["stored"]
                assert stored["picture"]

    def summary(self) -> dict[str, Any]:
        """Return the figures of the report."""
        url = f"{self.url('report')}/generate_performance_report?format=json"
        summary: dict[str, Any] = httpx.get(url, timeout=120).raise_for_status().json()
        return summary

    def logged_predictions(self) -> int:
        """Return the number of predictions that the report counts."""
        return int(self.summary()["predictions"]["records"])
