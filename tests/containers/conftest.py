"""Images that are built once for all tests, and a bucket in the emulator with a model from a real training."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from animals.registry import versions
from animals.storage import GcsStorage
from tests.containers.tool import Tool, tool_or_skip
from tests.support.emulator import Emulator
from tests.support.pictures import write_label_folders

ALL: Final = os.environ.get("ANIMALS_CONTAINERS") == "all"
"""Whether the image for training is tested too, which takes gigabytes and minutes."""

VERSION: Final = "1.2.3"

OVERRIDES: Final = (
    *("experiment=folder", "method=full", "data.test=0.5", "data.side=32", "data.workers=0", "model.name=test_resnet"),
    *("augment.color=0", "trainer.epochs=8", "trainer.batch_size=16", "trainer.accelerator=cpu"),
    *("trainer.precision=fp32", "tracking.mode=disabled"),
)
"""A training of seconds."""

Build = Callable[[str], str]
"""Type of the fixture that builds images."""


@pytest.fixture(scope="session")
def tool() -> Tool:
    return tool_or_skip()


@pytest.fixture(scope="session")
def image(tool: Tool) -> Build:
    """Builds an image when it is first asked for; its tag."""
    built: dict[str, str] = {}

    def build(name: str) -> str:
        if name not in built:
            built[name] = tool.build(name, VERSION=VERSION, REVISION="0123abc")
        return built[name]

    return build


@dataclass(frozen=True)
class PublishedModel:
    """A bucket with a published training, and the settings that containers get."""

    pictures: Path
    version: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def options(self) -> list[str]:
        """Of a container that is to use the bucket."""
        return [word for name, value in self.environment.items() for word in ("--env", f"{name}={value}")]


@pytest.fixture(scope="session")
def model(tool: Tool, image: Build, emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> PublishedModel:
    """A training, in a container where all is tested, whose version is in the emulator's bucket."""
    folder = tmp_path_factory.mktemp("model")
    pictures = write_label_folders(folder / "pictures", per_label=80)
    name = emulator.make_bucket()
    environment = {"STORAGE_EMULATOR_HOST": emulator.url, "ANIMALS_BUCKET": f"gs://{name}/some/prefix"}
    if ALL:
        place = ["--volume", f"{pictures}:/pictures:ro"]
        given = [word for pair in environment.items() for word in ("--env", "=".join(pair))]
        words = ["--rm", "--network", "host", "--read-only", "--tmpfs", "/tmp", *place, *given]  # noqa: S108
        tool("run", *words, image("train"), "data.root=/pictures", *OVERRIDES)
    else:
        command = [sys.executable, "-m", "animals", "train", f"data.root={pictures}", *OVERRIDES]
        subprocess.run(command, cwd=folder, env={**os.environ, **environment}, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
        [version] = versions(GcsStorage(name, "some/prefix"))
    return PublishedModel(pictures, version, environment)
