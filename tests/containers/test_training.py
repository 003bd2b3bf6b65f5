"""Training in its image, which takes gigabytes and minutes: ANIMALS_CONTAINERS=all."""

import time
from pathlib import Path

import pytest

from tests.containers.conftest import ALL, OVERRIDES, Build, PublishedModel
from tests.containers.tool import Tool

pytestmark = pytest.mark.skipif(
    not ALL, reason="The image for training has gigabytes: ANIMALS_CONTAINERS=all tests it."
)


def test_a_training_that_is_stopped_resumes(tool: Tool, image: Build, model: PublishedModel, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(0o777)
    volumes = ["--volume", f"{model.pictures}:/pictures:ro", "--volume", f"{place}:/animals"]
    options = ["--network", "host", "--read-only", "--tmpfs", "/tmp", *volumes, *model.options]  # noqa: S108
    words = [image("train"), "data.root=/pictures", *OVERRIDES, "trainer.resume=auto", "promote=false"]
    long = [*words, "trainer.epochs=60"]

    first = tool("run", "--detach", *options, *long).splitlines()[-1]
    deadline = time.monotonic() + 180
    while not list(place.glob("runs/*/checkpoints/last.ckpt")):
        assert time.monotonic() < deadline, tool.log(first)
        time.sleep(0.1)
    began = time.monotonic()
    tool("stop", "--time", "30", first)
    assert time.monotonic() - began < 15
    assert "nothing is lost" in tool.log(first)
    assert tool.inspect("container", first)["State"]["ExitCode"] == 130
    tool("rm", first)

    second = tool("run", "--detach", *options, *long).splitlines()[-1]
    assert int(tool("wait", second, seconds=300).splitlines()[-1]) == 0, tool.log(second)
    assert "published, not promoted" in tool.log(second)
    tool("rm", second)
    assert len(list(place.glob("runs/*"))) == 1


def test_an_image_for_training_names_an_impossible_setting(tool: Tool, image: Build) -> None:
    words = ["--read-only", "--network", "none", image("train"), "trainer.epoch=5"]
    container = tool("run", "--detach", *words).splitlines()[-1]
    assert tool("wait", container).splitlines()[-1] == "2"
    assert "trainer.epoch" in tool.log(container)
    tool("rm", container)
