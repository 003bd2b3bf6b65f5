"""The data cards say what the code does, in the form of the Hugging Face hub."""

import re
from pathlib import Path

import pytest
from huggingface_hub import DatasetCard

from animals.animals10 import ANIMALS10_FOLDERS
from animals.config.training import DataConfig
from animals.data.sample.drawings import CREDITS, STYLES, clutter, drawings_of
from animals.data.sample.scenes import SIZES
from animals.data.sources.kaggle import DATA_SET

CARDS = Path(__file__).parents[1] / "docs/data"
ART = Path(__file__).parents[1] / "src/animals/data/sample/art"
SAMPLE = (CARDS / "sample.md").read_text(encoding="utf-8")
ANIMALS10 = (CARDS / "animals10.md").read_text(encoding="utf-8")


def rows(text: str) -> list[list[str]]:
    """The cells of all tables."""
    return [
        [cell.strip() for cell in line.strip("| \n").split("|")] for line in text.splitlines() if line.startswith("|")
    ]


@pytest.mark.parametrize("text", [SAMPLE, ANIMALS10], ids=["sample", "animals10"])
def test_the_hub_reads_a_card(text: str) -> None:
    found = DatasetCard(text).data
    assert found.get("pretty_name")
    assert found.get("task_categories") == ["image-classification"]


def test_the_samples_licences_are_those_of_its_drawings() -> None:
    licences = {credit.licence.lower().replace(" ", "-") for credit in CREDITS.values()}
    assert set(DatasetCard(SAMPLE).data.get("license")) == licences
    names = {"apache-2.0": "Apache-2.0", "cc-by-4.0": "CC-BY-4.0", "mit": "MIT"}
    assert all((ART / f"LICENSE-{names[licence]}.txt").is_file() for licence in licences)


def test_each_style_is_credited_as_in_the_code_and_in_the_notice() -> None:
    notice = {row[0]: row for row in rows((ART / "NOTICE.md").read_text(encoding="utf-8"))}
    shown = {row[0]: row for row in rows(SAMPLE)}
    for style in STYLES:
        credit = CREDITS[style]
        drawings = [drawing for folder in (*ANIMALS10_FOLDERS, "_clutter") for drawing in drawings_of(style, folder)]
        assert shown[style] == [style, credit.name, credit.licence, credit.by, str(len(drawings))]
        assert notice[style][3:] == [credit.licence, credit.by]


def test_the_samples_counts_are_those_of_the_defaults() -> None:
    per_label, shown = DataConfig().sample_per_label, {row[0]: row for row in rows(SAMPLE)}
    drawings = {folder: sum(len(drawings_of(style, folder)) for style in STYLES) for folder in ANIMALS10_FOLDERS}
    for folder, label in ANIMALS10_FOLDERS.items():
        assert shown[label] == [label, folder, str(per_label), str(drawings[folder])]
    animals = sum(drawings.values())
    assert f"{per_label * len(drawings):,} small pictures of ten animals" in SAMPLE
    assert f"{animals + len(clutter())} SVG files, {animals} of animals and {len(clutter())} of other things" in SAMPLE
    (width, height), _ = max(SIZES.items(), key=lambda item: item[1])
    assert f"{width} x {height} pixels and the like" in SAMPLE


def test_the_card_of_animals10_names_each_folder_and_no_licence() -> None:
    counts = {
        row[1]: (row[0], int(row[2].replace(",", "")))
        for row in rows(ANIMALS10)
        if len(row) == 3 and row[2][0].isdigit()
    }
    assert {folder: label for folder, (label, _) in counts.items()} == ANIMALS10_FOLDERS
    assert f"{sum(count for _, count in counts.values()):,} photographs" in ANIMALS10
    assert f"https://www.kaggle.com/datasets/{DATA_SET}" in ANIMALS10
    assert not DatasetCard(ANIMALS10).data.get("license")


def test_what_a_run_says_of_its_data_is_where_it_says() -> None:
    source = (Path(__file__).parents[1] / "src/animals/config/training.py").read_text(encoding="utf-8")
    places = re.findall(r'about="([^"]+)"', source)
    assert len(places) == 2
    for about in places:
        assert (Path(__file__).parents[1] / about).is_file()
