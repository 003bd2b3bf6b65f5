"""`gate=true`: a training promotes its version only if the gate does not object."""

from pathlib import Path

import pytest

from animals import registry
from animals.storage import FolderStorage
from animals.training.pipeline import train
from animals.training.train import summary
from tests.support.published import publish
from tests.training.conftest import tiny_config


@pytest.mark.parametrize(
    ("labels", "serves"),
    [(None, True), (("blue", "green", "violet"), False)],
    ids=["nothing serves yet", "another data set's version serves"],
)
def test_a_version_that_the_gate_refuses_is_published_and_does_not_serve(
    labels: tuple[str, ...] | None,
    serves: bool,
    pictures: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = tiny_config(pictures, tmp_path, epochs=1)
    config.gate = True
    bucket = FolderStorage(tmp_path / "bucket")
    if labels:
        publish(bucket, "before", labels=labels)
    card = train(config, tmp_path / "run")
    assert card is not None
    assert card.version in registry.versions(bucket)
    assert registry.read_current(bucket).version == (card.version if serves else "before")
    assert ("serves from" in summary(card, config)) is serves
    assert ("differ in their labels" in caplog.text) is not serves
