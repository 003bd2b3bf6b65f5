"""Any folder of label folders can be trained on, served, shown, given feedback on and reported on.

These labels are no animals, there are not ten of them, and they have what names of folders may have: a capital, an
umlaut, a space, a comma, and a word that is also the name of a table's column.
"""

import json
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from huggingface_hub import ModelCard
from streamlit.testing.v1 import AppTest

from animals import registry
from animals.animals10 import ANIMALS10_FOLDERS
from animals.frontend.__main__ import APP
from animals.records import Card
from animals.serving.classifier import Classifier
from tests.support.feedback_loop import TRAINING, FeedbackLoop
from tests.support.pictures import COLORS, write_picture
from tests.training.conftest import published, tiny_config

LABELS: Final = ("Unreif, grün", "half ripe", "prediction")
"""In the order of the model's outputs."""

PER_LABEL: Final = 34
"""Pictures of each label with feedback, enough for a performance report."""

ANIMALS: Final = {"animal", *ANIMALS10_FOLDERS, *ANIMALS10_FOLDERS.values()}


def write_pictures(root: Path, labels: tuple[str, ...], *, count: int, first: int = 0) -> None:
    for index, (label, color) in enumerate(zip(labels, COLORS.values(), strict=False)):
        for number in range(first, first + count):
            write_picture(root / label / f"{number}.jpg", color, seed=10_000 * index + number)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeedbackLoop]:
    """Running services after one training, with feedback on each picture."""
    folder = tmp_path_factory.mktemp("own labels")
    write_pictures(folder / "pictures", LABELS, count=60)
    write_pictures(folder / "with feedback", LABELS, count=PER_LABEL, first=100)
    loop = FeedbackLoop(folder)
    loop.run(*TRAINING, "trainer.epochs=2")
    with loop.services():
        loop.wait_until(lambda: loop.served_version() is not None)
        loop.give_feedback(folder / "with feedback")
        loop.wait_until(lambda: loop.logged_predictions() == len(LABELS) * PER_LABEL)
        yield loop


def get_json(loop: FeedbackLoop, path: str) -> Any:
    return httpx.get(loop.url("backend") + path).raise_for_status().json()


def test_the_card_has_the_labels_in_the_order_of_the_outputs(loop: FeedbackLoop) -> None:
    card = registry.read_card(loop.bucket, registry.read_current(loop.bucket).version)
    assert card.labels == LABELS
    assert tuple(card.metrics.per_label) == LABELS
    assert card.training is not None
    assert tuple(card.training.labels) == LABELS
    text = loop.bucket.read(registry.file_name(card.version, "README.md")).data.decode()
    assert ModelCard(text).data.get("model_name") == card.version
    assert "pictures by 3 labels: `Unreif, grün`, `half ripe`, `prediction`." in text
    assert ANIMALS.isdisjoint(text.replace("Animals", "").split())


def test_the_backend_predicts_them(loop: FeedbackLoop) -> None:
    assert tuple(get_json(loop, "/model")["labels"]) == LABELS
    metadata = get_json(loop, "/v2/models/animals")
    (probabilities,) = [output for output in metadata["outputs"] if output["name"] == "probabilities"]
    assert probabilities["shape"] == [-1, 3]
    assert tuple(probabilities["parameters"]["labels"]) == LABELS
    results = loop.classify(loop.folder / "with feedback")
    assert all(set(result.response["probabilities"]) == set(LABELS) for result in results)
    assert sum(result.response["prediction"] == result.label for result in results) > len(results) / 2
    assert 'label="Unreif, grün"' in httpx.get(loop.url("backend") + "/metrics").text


def test_the_page_shows_them_and_no_animals(loop: FeedbackLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which Streamlit replaces
    monkeypatch.setenv("ANIMALS_BACKEND", loop.url("backend"))
    page = AppTest.from_file(str(APP), default_timeout=60).run()
    assert not page.exception
    assert r"recognises: Unreif\, grün\, half ripe\, prediction." in "".join(it.value for it in page.markdown)
    assert not [button for button in page.button if button.key and button.key.startswith("example-")]
    data = (loop.folder / "with feedback" / LABELS[0] / "100.jpg").read_bytes()
    page.file_uploader(key="uploads").set_value([("mine.jpg", data, "image/jpeg")])
    page.run()
    assert not page.exception
    (heading,) = page.subheader
    if buttons := [button for button in page.button if button.label == "No"]:
        assert heading.value.rstrip("\\?").lower() in [r"unreif\, grün", "half ripe", "prediction"]
        buttons[0].click().run()
    assert len({*LABELS} & {label.replace("\\", "") for label in page.pills[0].options}) >= 2
    text = " ".join(str(it.value) for kind in (page.title, page.markdown, page.caption) for it in kind).lower()
    assert ANIMALS.isdisjoint(text.replace("\\", "").split())


def test_pictures_with_feedback_are_downloaded_into_folders_of_those_names(loop: FeedbackLoop) -> None:
    loop.run("-m", "animals", "data", "--source", "feedback", "--root", "feedback")
    counts = {path.name: len(list(path.iterdir())) for path in (loop.folder / "feedback").iterdir() if path.is_dir()}
    assert counts == dict.fromkeys(LABELS, PER_LABEL)


def test_the_report_names_them(loop: FeedbackLoop) -> None:
    assert loop.summary()["feedback"]["labels"] == dict.fromkeys(LABELS, PER_LABEL)
    response = httpx.get(f"{loop.url('report')}/generate_performance_report", timeout=300).raise_for_status()
    with zipfile.ZipFile(BytesIO(response.content)) as archive:
        pages = {name: archive.read(name).decode() for name in archive.namelist()}
    for name in ("performance.html", "drift.html"):
        assert len(pages[name]) > 3_000_000, f"{name} is not Evidently's page"
        for label in LABELS:
            assert label in pages[name] or json.dumps(label)[1:-1] in pages[name], (name, label)


def test_the_retrain_check_counts_their_feedback(loop: FeedbackLoop) -> None:
    decision = json.loads(loop.run("-m", "animals", "decide").splitlines()[-1])
    assert (decision["judged"], decision["pictures"]) == (len(LABELS) * PER_LABEL, len(LABELS) * PER_LABEL)


def test_two_labels_are_enough(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", LABELS[:2], count=12)
    card: Card = published(tiny_config(tmp_path / "pictures", tmp_path, epochs=1), tmp_path / "runs" / "two")
    assert card.labels == LABELS[:2]
    classifier = Classifier(card, (tmp_path / "runs" / "two" / "version" / card.serving_file).read_bytes())
    probabilities = classifier.classify((tmp_path / "pictures" / LABELS[0] / "0.jpg").read_bytes())
    assert tuple(probabilities) == LABELS[:2]
    assert sum(probabilities.values()) == pytest.approx(1)


def test_one_label_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", LABELS[:1], count=1)
    done = FeedbackLoop(tmp_path).python(*TRAINING)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: pictures has 1 label folders (Unreif, grün); expected two or more."
    assert "Traceback" not in done.stderr
