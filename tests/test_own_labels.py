"""Any folder of label folders goes all the way: trained, served, shown, judged, brought back and reported on.

Nothing here is an animal, there are not ten of them, and their names have what names of folders may have: a capital, an
umlaut, a space, a comma, and a word that columns of tables are called by.
"""

import json
import subprocess
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
from animals.frontend import __main__ as page
from animals.records import Card
from animals.serving.classifier import Classifier
from tests.support.pictures import COLORS, write_picture
from tests.test_feedback_loop import TRAINING, World
from tests.training.conftest import published, tiny_config

LABELS: Final = ("Unreif, grün", "half ripe", "prediction")
"""In the order of the model's outputs."""

JUDGED: Final = 34
"""Pictures of each label, which together are enough for a report on how right the answers were."""

ANIMALS: Final = {"animal", *ANIMALS10_FOLDERS, *ANIMALS10_FOLDERS.values()}


def write_pictures(root: Path, labels: tuple[str, ...], *, count: int, first: int = 0) -> None:
    for place, (label, color) in enumerate(zip(labels, COLORS.values(), strict=False)):
        for number in range(first, first + count):
            write_picture(root / label / f"{number}.jpg", color, seed=10_000 * place + number)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One training, the services, and each picture judged by the name of its folder."""
    folder = tmp_path_factory.mktemp("own labels")
    write_pictures(folder / "pictures", LABELS, count=60)
    write_pictures(folder / "asked", LABELS, count=JUDGED, first=100)
    world = World(folder)
    world.run(*TRAINING, "trainer.epochs=2")
    with world.services():
        world.wait_until(lambda: world.serving() is not None)
        world.judge(folder / "asked")
        world.wait_until(lambda: world.report()["predictions"]["records"] == len(LABELS) * JUDGED)
        yield world


def asked(world: World, path: str) -> Any:
    return httpx.get(world.url("backend") + path).raise_for_status().json()


def test_the_card_names_them_in_the_order_of_the_outputs(world: World) -> None:
    card = registry.read_card(world.bucket, registry.read_current(world.bucket).version)
    assert card.labels == LABELS
    assert tuple(card.metrics.per_label) == LABELS
    assert card.training is not None
    assert tuple(card.training.labels) == LABELS
    text = world.bucket.read(registry.file_name(card.version, "README.md")).data.decode()
    assert ModelCard(text).data.get("model_name") == card.version
    assert "3 labels fits a picture best: `Unreif, grün`, `half ripe`, `prediction`." in text
    assert ANIMALS.isdisjoint(text.replace("Animals", "").split())


def test_the_service_answers_with_them(world: World) -> None:
    model = asked(world, "/model")
    assert tuple(model["labels"]) == LABELS
    metadata = asked(world, "/v2/models/animals")
    (probabilities,) = [output for output in metadata["outputs"] if output["name"] == "probabilities"]
    assert probabilities["shape"] == [-1, 3]
    assert tuple(probabilities["parameters"]["labels"]) == LABELS
    answers = world.answers(world.folder / "asked")
    assert all(set(answer["probabilities"]) == set(LABELS) for _, _, answer in answers)
    assert sum(answer["prediction"] == label for label, _, answer in answers) > len(answers) / 2
    assert 'label="Unreif, grün"' in httpx.get(world.url("backend") + "/metrics").text


def test_the_page_shows_them_and_nothing_of_animals(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # which Streamlit puts a page in the place of
    monkeypatch.setenv("ANIMALS_BACKEND", world.url("backend"))
    shown = AppTest.from_file(str(page.APP), default_timeout=60).run()
    assert not shown.exception
    assert r"I tell Unreif\, grün\, half ripe and prediction apart." in "".join(it.value for it in shown.markdown)
    assert not [button for button in shown.button if button.key and button.key.startswith("example-")]
    data = (world.folder / "asked" / LABELS[0] / "100.jpg").read_bytes()
    shown.file_uploader(key="uploads").set_value([("mine.jpg", data, "image/jpeg")])
    shown.run()
    assert not shown.exception
    (heading,) = shown.subheader
    if offered := [button for button in shown.button if button.label == "No"]:
        assert heading.value.rstrip("\\?").lower() in [r"unreif\, grün", "half ripe", "prediction"]
        offered[0].click().run()
    assert len({*LABELS} & {label.replace("\\", "") for label in shown.pills[0].options}) >= 2
    words = " ".join(str(it.value) for kind in (shown.title, shown.markdown, shown.caption) for it in kind).lower()
    assert ANIMALS.isdisjoint(words.replace("\\", "").split())


def test_judged_pictures_come_back_in_folders_of_those_names(world: World) -> None:
    world.run("-m", "animals", "data", "--source", "feedback", "--root", "feedback")
    found = {path.name: len(list(path.iterdir())) for path in (world.folder / "feedback").iterdir() if path.is_dir()}
    assert found == dict.fromkeys(LABELS, JUDGED)


def test_the_report_names_them(world: World) -> None:
    summary = world.report()
    assert summary["feedback"]["labels"] == dict.fromkeys(LABELS, JUDGED)
    response = httpx.get(f"{world.url('report')}/generate_performance_report", timeout=300).raise_for_status()
    with zipfile.ZipFile(BytesIO(response.content)) as archive:
        pages = {name: archive.read(name).decode() for name in archive.namelist()}
    for name in ("performance.html", "drift.html"):
        assert len(pages[name]) > 3_000_000, f"{name} is none of Evidently's"
        for label in LABELS:
            assert label in pages[name] or json.dumps(label)[1:-1] in pages[name], (name, label)


def test_the_decision_is_about_them(world: World) -> None:
    decided = json.loads(world.run("-m", "animals", "decide").splitlines()[-1])
    assert (decided["judged"], decided["pictures"]) == (len(LABELS) * JUDGED, len(LABELS) * JUDGED)


def test_two_labels_are_enough(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", LABELS[:2], count=12)
    card: Card = published(tiny_config(tmp_path / "pictures", tmp_path, epochs=1), tmp_path / "runs" / "two")
    assert card.labels == LABELS[:2]
    classifier = Classifier(card, (tmp_path / "runs" / "two" / "version" / card.serving_file).read_bytes())
    answer = classifier.classify((tmp_path / "pictures" / LABELS[0] / "0.jpg").read_bytes())
    assert tuple(answer) == LABELS[:2]
    assert sum(answer.values()) == pytest.approx(1)


def test_one_label_is_refused_in_a_sentence(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", LABELS[:1], count=1)
    command = [sys.executable, *TRAINING]
    environment = World(tmp_path).environment
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "error: pictures holds 1 label folders (Unreif, grün); expected two or more."
    assert "Traceback" not in done.stderr
