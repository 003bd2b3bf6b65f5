"""`animals evaluate` as a person types it, on a version made by the real loop."""

import json
import shutil
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
from animals.training.evaluation.predictors import onnx_predictor
from animals.training.evaluation.records import EvaluationReport
from tests.support.command import run
from tests.training.conftest import Trained

Command = Callable[..., str]


@dataclass
class Workplace:
    """A bucket, and the folder to call the command from."""

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

    def publish_in_32_bits(self) -> Card:
        """Write a version like the trained one whose model in 32 bits serves."""
        return self.publish("in-32-bits", quantized=self.card.quantized.model_copy(update={"passed": False}))

    def report(self, version: str | None = None) -> EvaluationReport:
        path = self.folder / "reports" / "versions" / (version or self.card.version) / "report.json"
        return EvaluationReport.model_validate_json(path.read_bytes())


@pytest.fixture
def work(trained: Trained, tmp_path: Path) -> Workplace:
    shutil.copytree(trained.config.bucket, tmp_path / "bucket")
    return Workplace(FolderStorage(tmp_path / "bucket"), tmp_path, trained.card)


@pytest.fixture
def command(work: Workplace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command; what it printed, on stdout where it worked and on stderr where not."""
    monkeypatch.chdir(work.folder)
    monkeypatch.setenv("ANIMALS_BUCKET", work.storage.url)

    def evaluate(version: str = "current", *options: str, code: int = 0) -> str:
        if code:
            with pytest.raises(SystemExit) as ended:
                run("evaluate", f"--version={version}", *options)
            assert ended.value.code == code
            return capsys.readouterr().err
        run("evaluate", f"--version={version}", *options)
        return capsys.readouterr().out

    return evaluate


def test_the_report_says_what_the_card_says(command: Command, work: Workplace) -> None:
    card = work.publish_in_32_bits()  # whose figures are on the card
    output = command(card.version)
    report = work.report(card.version)
    assert report.version == card.version
    assert (report.accuracy.share, report.accuracy.pictures) == (card.metrics.accuracy, card.metrics.pictures)
    assert report.metrics.per_label == card.metrics.per_label
    assert report.metrics.loss == pytest.approx(card.metrics.loss, abs=1e-4)
    assert report.temperature == card.temperature
    assert report.ece_before == pytest.approx(card.calibration.ece_before, abs=1e-4)
    assert report.ece_after == pytest.approx(card.calibration.ece_after, abs=1e-4)
    assert f"{card.metrics.accuracy:.1%}" in output
    assert f"its card says {card.metrics.accuracy:.1%}" in output


def test_the_8_bits_that_serve_are_what_is_evaluated(command: Command, work: Workplace) -> None:
    assert work.card.serving_file == registry.INT8
    assert "It is the version that serves" in command()
    served = work.report()
    work.publish_in_32_bits()
    command("in-32-bits")
    assert served.metrics.loss != work.report("in-32-bits").metrics.loss
    assert served.metrics.loss == pytest.approx(work.card.metrics.loss, abs=0.01)


def test_the_report_has_every_file_that_it_shows_and_says(command: Command, work: Workplace) -> None:
    command(work.card.version, "--pictures", "3")
    folder = work.folder / "reports" / "versions" / work.card.version
    names = {path.name for path in folder.iterdir()}
    assert {"report.md", "report.json", "confusion_matrix.png", "reliability.png", "robustness.png"} <= names
    text = (folder / "report.md").read_text(encoding="utf-8")
    for path in folder.glob("*.png"):
        assert f"]({path.name})" in text
    for part in ("| blue | ", "gaussian noise", "| mirrored | ", "| dark | "):
        assert part in text
    assert "\\n" not in text
    assert work.report().robustness.pictures == 3


def test_the_same_version_gives_the_same_report_again(command: Command, work: Workplace) -> None:
    command()
    first = work.report()
    command()
    assert work.report() == first


def test_a_better_version_is_called_better_and_the_other_worse(command: Command, work: Workplace) -> None:
    table = pd.read_parquet(BytesIO(registry.read_file(work.storage, work.card, registry.REFERENCE)))
    wrong = table.assign(prediction=table["target"].map({"blue": "red", "red": "green", "green": "blue"}))
    other = work.publish("worse", {registry.REFERENCE: wrong.to_parquet(index=False)})
    output = command(work.card.version, "--against", other.version)
    comparison = work.report().comparison
    assert comparison is not None
    right = round(6 * work.card.metrics.accuracy)
    assert (comparison.only_this, comparison.only_other) == (right, 0)
    assert comparison.verdict == ("better" if right == 6 else "no difference")
    assert f"worse: {right} pictures are right here only, 0 there only (p = " in output


def test_without_a_choice_the_version_that_serves_is_compared_with(command: Command, work: Workplace) -> None:
    work.publish("r2")
    assert f"no difference to {work.card.version}: 0 pictures are right here only" in command("r2")


def test_versions_made_with_other_pictures_are_not_compared(command: Command, work: Workplace) -> None:
    changed = {"manifest_sha256": "f" * 64, "test_sha256": "e" * 64}
    work.publish("other", split=work.card.split.model_copy(update=changed))
    output = command(work.card.version, "--against", "other", code=2)
    assert output.startswith(f"error: {work.card.version} and other cannot be compared: they were made with other")
    assert output.count("\n") == 1
    registry.promote(work.storage, "other", reason="test")
    assert "and other cannot be compared" in command(work.card.version)
    assert work.report().comparison is None


def test_a_version_is_not_compared_with_itself(command: Command, work: Workplace) -> None:
    assert "cannot be compared with itself" in command("current", "--against", work.card.version, code=2)


def test_a_version_is_evaluated_where_none_serves(command: Command, work: Workplace) -> None:
    work.storage.delete(registry.CURRENT)
    assert "Compared    No version serves" in command(work.card.version)
    assert "No model is published" in command(code=1)


def test_an_unknown_version_is_one_sentence(command: Command, work: Workplace) -> None:
    output = command("nosuch", code=1)
    assert output == f"error: {work.storage.url} has no version nosuch. Latest versions: {work.card.version}.\n"
    assert "has no version r9" in command("current", "--against", "r9", code=1)
    with pytest.raises(NoModel):
        registry.read_card(work.storage, "nosuch")


def test_pictures_that_changed_since_are_refused(command: Command, work: Workplace, pictures: Path) -> None:
    copy = work.folder / "pictures"
    shutil.copytree(pictures, copy)
    config = json.loads(json.dumps(work.card.config))
    config["data"] |= {"root": str(copy), "cache_dir": str(work.folder / "cache")}
    work.publish("moved", config=config)
    assert "Accuracy" in command("moved")  # where they lie does not matter
    (copy / "red" / "000.jpg").unlink()
    output = command("moved", code=2)
    assert output.startswith(f"error: The pictures in {copy} changed since moved was made with them: ")
    assert "48 train, 6 val, 6 test, now there are" in output
    assert output.endswith("Restore the pictures, or train again.\n")


def test_a_card_from_another_time_is_one_sentence(command: Command, work: Workplace) -> None:
    config = {**work.card.config, "data": {"folder_of_pictures": "x"}}
    work.publish("future", config=config)
    output = command("future", code=1)
    assert "does not understand" in output
    assert "folder_of_pictures" in output


def test_a_model_that_cannot_be_loaded_is_one_sentence(command: Command, work: Workplace) -> None:
    work.publish("broken", {work.card.serving_file: b"no model"})
    assert "The ONNX file of broken cannot be used" in command("broken", code=1)


@pytest.mark.parametrize(("number", "reason"), [("0", "greater than or equal to 1"), ("many", "valid integer")])
def test_a_number_of_pictures_is_one_or_more(number: str, reason: str, command: Command) -> None:
    output = command("current", "--pictures", number, code=2)
    assert "Invalid value for '--pictures'" in output
    assert reason in output


def test_an_exported_model_answers_any_number_of_pictures_at_once(work: Workplace) -> None:
    model = registry.read_file(work.storage, work.card, registry.ONNX)
    predict = onnx_predictor(model, work.card.input)
    pixels = np.random.default_rng(0).integers(0, 256, (130, 32, 32, 3), dtype=np.uint8)
    np.testing.assert_allclose(predict(pixels), np.concatenate([predict(pixels[:1]), predict(pixels[1:])]), atol=1e-4)
