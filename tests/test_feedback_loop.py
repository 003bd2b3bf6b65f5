"""The whole circle, by real processes and over HTTP: what is got wrong comes back as a better model.

Train, publish, serve; the pictures change; people say what is really on them and let them be kept; the report sees it
and decides that it is time to train; the pictures are brought and trained on, the gate lets the new version serve, and
the running service follows.
"""

import os
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from animals import registry
from animals.storage import FolderStorage
from tests.support.emulator import free_port
from tests.support.pictures import COLORS, write_label_folders, write_picture

CHANGED: Final = {"blue": (35, 140, 42), "green": (154, 35, 28), "red": (28, 42, 154)}
"""How each label looks later: a darker shade of what was another label, for which it is taken."""

TRAINING: Final = (
    *("-m", "animals", "train", "experiment=folder", "data.root=pictures", "data.test=0.3", "data.side=32"),
    *("data.workers=0", "model.name=test_resnet", "augment.color=0", "trainer.epochs=10", "trainer.batch_size=16"),
    *("trainer.accelerator=cpu", "trainer.precision=fp32", "tracking.mode=disabled"),
)


class World:
    """A folder with pictures and a bucket, and what a person types there."""

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

    def run(self, *command: str) -> str:
        """What a command says."""
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def services(self) -> Iterator[None]:
        """Backend, page and report function, as `invoke up` starts them."""
        ports = [f"--{name}-port={port}" for name, port in self.ports.items()]
        command = [sys.executable, "-m", "animals", "up", *ports]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        try:
            self.wait_until(lambda: "All run." in self.log or process.poll() is not None)
            yield
            process.terminate()
            assert process.wait(30) == 0, self.log
        finally:
            process.kill()
            process.wait()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace", encoding="utf-8")

    def wait_until(self, reached: Any) -> None:
        deadline = time.monotonic() + 120
        while not reached():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.1)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.ports[name]}"

    def serving(self) -> str | None:
        """The version that answers, if one does."""
        version: str | None = httpx.get(self.url("backend")).raise_for_status().json()["model_version"]
        return version

    def answers(self, pictures: Path) -> list[tuple[str, bytes, dict[str, Any]]]:
        """Label, file and answer for each picture in label folders."""
        found = []
        with httpx.Client(base_url=self.url("backend")) as client:
            for path in sorted(pictures.glob("*/*.jpg")):
                data = path.read_bytes()
                answer = client.post("/classify/", files={"file": (path.name, data)}).raise_for_status().json()
                found.append((path.parent.name, data, answer))
        return found

    def accuracy(self, pictures: Path) -> float:
        answers = self.answers(pictures)
        return sum(bool(answer["prediction"] == label) for label, _, answer in answers) / len(answers)

    def judge(self, pictures: Path) -> None:
        """Ask about pictures as people do, say what is on them, and let them be kept."""
        with httpx.Client(base_url=self.url("backend")) as client:
            for label, data, answer in self.answers(pictures):
                body = {"x": label, "prediction_id": answer["prediction_id"], "picture": b64encode(data).decode()}
                stored = client.post("/post_data/", json=body).raise_for_status().json()
                assert stored["stored"]
                assert stored["picture"]

    def report(self) -> dict[str, Any]:
        """What the report says in numbers."""
        url = f"{self.url('report')}/generate_performance_report?format=json"
        found: dict[str, Any] = httpx.get(url, timeout=120).raise_for_status().json()
        return found


@pytest.fixture
def world(tmp_path: Path) -> World:
    write_label_folders(tmp_path / "pictures", per_label=60)
    for place, (label, color) in enumerate(CHANGED.items()):
        for number in range(40):
            kind = "seen" if number < 30 else "later"
            write_picture(tmp_path / kind / label / f"{number}.jpg", color, seed=10_000 + 1000 * place + number)
    return World(tmp_path)


@pytest.mark.minutes
def test_what_people_correct_makes_the_next_version_better(world: World) -> None:
    with world.services():
        assert "No model is published yet: invoke train" in world.log
        world.run(*TRAINING)
        [first] = registry.versions(world.bucket)
        world.wait_until(lambda: world.serving() == first)
        before = world.accuracy(world.folder / "later")
        assert before < 0.5, "The changed pictures should be hard for the first version."

        world.judge(world.folder / "seen")
        world.wait_until(lambda: world.report()["predictions"]["records"] == 120)
        summary = world.report()
        assert summary["feedback"]["records"] == summary["pictures"] == 90
        assert summary["drift"]["drifted"], summary["drift"]
        assert summary["decision"]["retrain"], summary["decision"]

        world.run("-m", "animals", "data", "--source", "feedback", "--root", "feedback")
        said = world.run(*TRAINING, "data.extra=feedback", "promote=false")
        assert "90 pictures of feedback are trained on too" in said
        [second] = set(registry.versions(world.bucket)) - {first}
        assert world.serving() == first
        said = world.run("-m", "animals", "promote", second)
        assert f"{second} serves in" in said

        world.wait_until(lambda: world.serving() == second)
        after = world.accuracy(world.folder / "later")
        assert after >= max(0.8, before + 0.3)
        assert world.accuracy(world.folder / "pictures") > 0.9
        assert set(COLORS) == set(CHANGED)
        assert not world.report()["decision"]["retrain"]
