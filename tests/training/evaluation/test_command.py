"""`python -m animals.training.evaluation` as a person types it, on a version made by the real loop."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from animals import registry
from animals.errors import NoModel
from animals.records import Card
from animals.storage import FolderStorage
from animals.training.evaluation.__main__ import main
from animals.training.evaluation.predictors import ask_onnx
from animals.training.evaluation.records import Proof
from tests.training.conftest import Trained

Command = Callable[..., str]


@dataclass
class Place:
    """A bucket of its own, and a folder to call the command from."""

    storage: FolderStorage
    folder: Path
    card: Card

    def publish(self, version: str, files: dict[str, bytes] | None = None, **changes: Any) -> Card:
        """Write a version like the trained one but for some files and some of its card."""
        contents = {file: registry.read_file(self.storage, self.card, file) for file in self.card.files}
        contents |= files or {}
        described = {file: registry.describe(content) for file, content in contents.items()}
        card = self.card.model_copy(update={"version": version, "files": described, **changes})
        registry.write_version(self.storage, card, contents)
        return card

    def report(self, version: str | None = None) -> Proof:
        path = self.folder / "reports" / "versions" / (version or self.card.version) / "report.json"
        return Proof.model_validate_json(path.read_bytes())


@pytest.fixture
def place(trained: Trained, tmp_path: Path) -> Place:
    shutil.copytree(trained.config.bucket, tmp_path / "bucket")
    return Place(FolderStorage(tmp_path / "bucket"), tmp_path, trained.card)


@pytest.fixture
def command(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; what it printed, on stdout where it worked and on stderr where not."""
    monkeypatch.chdir(place.folder)
    monkeypatch.setenv("ANIMALS_BUCKET", place.storage.url)

    def run(*arguments: str, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["proof", *arguments])
        if code:
            with pytest.raises(SystemExit) as ended:
                main()
            assert ended.value.code == code
            return capsys.readouterr().err
        main()
        return capsys.readouterr().out

    return run


def test_the_report_says_what_the_card_says(command: Command, place: Place) -> None:
    card = place.publish("in-32-bits", quantized=None)  # the card is about the model as it was trained
    said = command(card.version)
    proof = place.report(card.version)
    assert proof.version == card.version
    assert (proof.accuracy.share, proof.accuracy.pictures) == (card.metrics.accuracy, card.metrics.pictures)
    assert proof.metrics.per_label == card.metrics.per_label
    assert proof.metrics.loss == pytest.approx(card.metrics.loss, abs=1e-4)
    assert card.calibration is not None
    assert proof.temperature == card.temperature
    assert proof.ece_before == pytest.approx(card.calibration.ece_before, abs=1e-4)
    assert proof.ece_after == pytest.approx(card.calibration.ece_after, abs=1e-4)
    assert f"{card.metrics.accuracy:.1%}" in said
    assert f"its card says {card.metrics.accuracy:.1%}" in said


def test_the_8_bits_that_serve_are_what_is_examined(command: Command, place: Place) -> None:
    assert place.card.serving_file == registry.INT8
    assert "It is the version that serves" in command()
    served = place.report()
    place.publish("in-32-bits", quantized=None)
    command("in-32-bits")
    assert served.metrics.loss != place.report("in-32-bits").metrics.loss
    assert served.metrics.loss == pytest.approx(place.card.metrics.loss, abs=0.01)


def test_the_report_has_every_file_that_it_shows_and_says(command: Command, place: Place) -> None:
    command(place.card.version, "--bucket", place.storage.url, "--pictures", "3")
    folder = place.folder / "reports" / "versions" / place.card.version
    names = {path.name for path in folder.iterdir()}
    assert {"report.md", "report.json", "confusion_matrix.png", "reliability.png", "robustness.png"} <= names
    text = (folder / "report.md").read_text(encoding="utf-8")
    for path in folder.glob("*.png"):
        assert f"]({path.name})" in text
    for part in ("| blue | ", "gaussian noise", "| mirrored | ", "| dark | "):
        assert part in text
    assert "\\n" not in text
    assert place.report().robustness.pictures == 3


def test_the_same_version_gives_the_same_report_again(command: Command, place: Place) -> None:
    command()
    first = place.report()
    command()
    assert place.report() == first


def test_a_better_version_is_called_better_and_the_other_worse(command: Command, place: Place) -> None:
    table = pd.read_parquet(BytesIO(registry.read_file(place.storage, place.card, registry.REFERENCE)))
    wrong = table.assign(prediction=table["target"].map({"blue": "red", "red": "green", "green": "blue"}))
    other = place.publish("worse", {registry.REFERENCE: wrong.to_parquet(index=False)})
    said = command(place.card.version, "--against", other.version)
    found = place.report().comparison
    assert found is not None
    right = round(6 * place.card.metrics.accuracy)
    assert (found.only_this, found.only_other) == (right, 0)
    assert found.verdict == ("better" if right == 6 else "no difference")
    assert f"worse: {right} pictures are right here only, 0 there only (p = " in said


def test_without_a_choice_the_version_that_serves_is_compared_with(command: Command, place: Place) -> None:
    place.publish("r2")
    assert f"no difference to {place.card.version}: 0 pictures are right here only" in command("r2")


def test_versions_made_with_other_pictures_are_not_compared(command: Command, place: Place) -> None:
    changed = {"manifest_sha256": "f" * 64, "test_sha256": "e" * 64}
    place.publish("other", split=place.card.split.model_copy(update=changed))
    said = command(place.card.version, "--against", "other", code=2)
    assert said.startswith(f"error: {place.card.version} and other cannot be compared: they were made with other")
    assert said.count("\n") == 1
    registry.promote(place.storage, "other", reason="test")
    assert "and other cannot be compared" in command(place.card.version)
    assert place.report().comparison is None


def test_a_version_is_not_compared_with_itself(command: Command, place: Place) -> None:
    assert "cannot be compared with itself" in command("current", "--against", place.card.version, code=2)


def test_a_version_is_examined_where_none_serves(command: Command, place: Place) -> None:
    place.storage.delete(registry.CURRENT)
    assert "Compared    No version serves" in command(place.card.version)
    assert "No model is published" in command(code=1)


def test_an_unknown_version_is_one_sentence(command: Command, place: Place) -> None:
    said = command("nosuch", code=1)
    assert said == f"error: {place.storage.url} has no version nosuch. Latest versions: {place.card.version}.\n"
    assert "has no version r9" in command("current", "--against", "r9", code=1)
    with pytest.raises(NoModel):
        registry.read_card(place.storage, "nosuch")


def test_pictures_that_changed_since_are_refused(command: Command, place: Place, pictures: Path) -> None:
    copy = place.folder / "pictures"
    shutil.copytree(pictures, copy)
    config = json.loads(json.dumps(place.card.config))
    config["data"] |= {"root": str(copy), "cache_dir": str(place.folder / "cache")}
    place.publish("moved", config=config)
    assert "Accuracy" in command("moved")  # where they lie does not matter
    (copy / "red" / "000.jpg").unlink()
    said = command("moved", code=2)
    assert said.startswith(f"error: The pictures in {copy} changed since moved was made with them: ")
    assert "48 train, 6 val, 6 test, now it is" in said
    assert said.endswith("Bring the pictures back as they were, or train again.\n")


def test_a_version_of_before_calibration_is_examined_with_a_temperature_of_1(command: Command, place: Place) -> None:
    place.publish("old", temperature=1.0, calibration=None)
    assert "with temperature 1.00" in command("old")
    assert place.report("old").ece_before == place.report("old").ece_after


def test_a_card_from_another_time_is_one_sentence(command: Command, place: Place) -> None:
    config = {**place.card.config, "data": {"folder_of_pictures": "x"}}
    place.publish("future", config=config)
    said = command("future", code=1)
    assert "does not understand" in said
    assert "folder_of_pictures" in said


def test_a_model_that_cannot_be_loaded_is_one_sentence(command: Command, place: Place) -> None:
    place.publish("broken", {place.card.serving_file: b"no model"})
    assert "The ONNX file of broken cannot be used" in command("broken", code=1)


@pytest.mark.parametrize("number", ["0", "many"])
def test_a_number_of_pictures_is_one_or_more(number: str, command: Command) -> None:
    said = command("--pictures", number, code=2)
    assert f"--pictures: {number} is no number of pictures; expected 1 or more" in said


def test_an_exported_model_answers_any_number_of_pictures_at_once(place: Place) -> None:
    model = registry.read_file(place.storage, place.card, registry.ONNX)
    ask = ask_onnx(model, place.card.input)
    pixels = np.random.default_rng(0).integers(0, 256, (130, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(ask(pixels), np.concatenate([ask(pixels[:1]), ask(pixels[1:])]), atol=1e-4)
