"""The model card has the record's figures in the form of the Hugging Face hub, and its code runs."""

import re
import runpy
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from animals.records import Card
from animals.serving.classifier import Classifier
from animals.training.export.model_card import format_model_card
from tests.support.pictures import write_picture
from tests.training.conftest import Trained


def configured(card: Card, **sections: Any) -> Card:
    """The card of a run that was configured otherwise."""
    config = {
        name: value | sections.pop(name, {}) if isinstance(value, dict) else value
        for name, value in card.config.items()
    }
    return card.model_copy(update={"config": config | sections})


def code(card: Card) -> list[str]:
    return re.findall(r"```python\n(.*?)```", format_model_card(card), re.DOTALL)


def test_the_hub_reads_the_figures_of_the_record(trained: Trained) -> None:
    metadata = ModelCard.load(trained.run / "version" / "README.md").data
    assert metadata.get("model_name") == trained.card.version
    assert (metadata.get("library_name"), metadata.get("pipeline_tag")) == ("timm", "image-classification")
    results = metadata.get("eval_results") or []
    assert {result.metric_type: result.metric_value for result in results} == {
        "accuracy": trained.card.metrics.accuracy,
        "f1": trained.card.metrics.f1_macro,
    }
    assert {(result.task_type, result.dataset_split) for result in results} == {("image-classification", "test")}
    assert all(result.dataset_name == Path(trained.config.data.root).name for result in results)


def test_there_is_no_licence_and_no_base_model_where_the_run_has_none(trained: Trained) -> None:
    metadata = ModelCard(format_model_card(trained.card)).data
    assert metadata.get("license") is None
    assert metadata.get("base_model") is None
    assert "from scratch" in format_model_card(trained.card)


def test_licence_base_title_and_description_are_those_of_the_run(trained: Trained) -> None:
    data = {"title": "My *own* fruit", "about": "docs/fruit.md", "extra": "more"}
    card = configured(trained.card, license="cc-by-4.0", model={"name": "resnet18", "pretrained": True}, data=data)
    text = format_model_card(card)
    metadata = ModelCard(text).data
    assert (metadata.get("license"), metadata.get("base_model")) == ("cc-by-4.0", "timm/resnet18.a1_in1k")
    assert [result.dataset_type for result in metadata.get("eval_results") or []] == ["my-own-fruit"] * 2
    assert r"| Pictures | My \*own\* fruit |" in text
    assert "| Described in | `docs/fruit.md` |" in text
    assert "| Additional training pictures | `more` |" in text


def test_it_describes_the_training(trained: Trained) -> None:
    training = trained.card.training
    assert (training.epochs, training.precision) == (3, "fp32")
    assert training.labels == {"blue": 16, "green": 16, "red": 16}
    assert 1 <= training.best_epoch <= 3
    assert training.seconds > 0
    text = format_model_card(trained.card)
    assert f"| Epochs | 3; the weights are those of epoch {training.best_epoch} |" in text
    assert f" in fp32 on {training.hardware} |" in text
    assert f"| Made | {trained.card.created:%Y-%m-%d %H:%M} UTC by run {trained.card.run}, commit " in text


def test_labels_with_different_numbers_of_pictures_are_a_limit(trained: Trained) -> None:
    assert "Labels have between" not in format_model_card(trained.card)
    training = trained.card.training.model_copy(update={"labels": {"blue": 3, "green": 50, "red": 16}})
    text = format_model_card(trained.card.model_copy(update={"training": training}))
    assert "Labels have between 3 and 50 training pictures." in text


def test_a_label_breaks_no_table(trained: Trained) -> None:
    figures = trained.card.metrics.per_label
    metrics = trained.card.metrics.model_copy(update={"per_label": {"a|b `_c_`": figures["blue"]}})
    training = trained.card.training.model_copy(update={"labels": {"a|b `_c_`": 1}})
    changes = {"metrics": metrics, "training": training, "labels": ("a|b `_c_`", "d, e")}
    text = format_model_card(trained.card.model_copy(update=changes))
    assert r"| a&#124;b \`\_c\_\` | " in text
    assert r"by 2 labels: a|b \`\_c\_\`, `d, e`." in text


@pytest.fixture
def beside(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the card wants it: the version's files and a picture."""
    folder = shutil.copytree(trained.run / "version", tmp_path / "version")
    write_picture(folder / "picture.jpg", (60, 90, 200), seed=1, size=(50, 30))
    monkeypatch.chdir(folder)
    return folder


def printed(source: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    """Run code, and return what it prints on the picture."""
    (folder / "code.py").write_text(source, encoding="utf-8")
    runpy.run_path(str(folder / "code.py"))
    lines = (line.split(": ") for line in capsys.readouterr().out.splitlines())
    return {label: float(share) for label, share in lines}


def test_the_timm_code_runs_as_it_stands(trained: Trained, beside: Path, capsys: pytest.CaptureFixture[str]) -> None:
    expected = Classifier(trained.card, (beside / "model.onnx").read_bytes())
    timm_code, _ = code(trained.card)
    output = printed(timm_code, beside, capsys)
    assert output == pytest.approx(expected.classify((beside / "picture.jpg").read_bytes()), abs=1e-3)


@pytest.mark.parametrize("resize", ["squash", "center"])
def test_the_onnx_code_runs_as_it_stands(
    trained: Trained, beside: Path, capsys: pytest.CaptureFixture[str], resize: Any
) -> None:
    card = trained.card.model_copy(update={"input": replace(trained.card.input, resize=resize, crop_pct=0.8)})
    (beside / "card.json").write_text(card.model_dump_json(), encoding="utf-8")
    expected = Classifier(card, (beside / card.serving_file).read_bytes())
    _, onnx_code = code(card)
    output = printed(onnx_code, beside, capsys)
    assert output == pytest.approx(expected.classify((beside / "picture.jpg").read_bytes()), abs=1e-3)
    assert list(output) == list(card.labels)
