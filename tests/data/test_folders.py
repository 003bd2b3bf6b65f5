"""A folder of label folders is read as a list of pictures, or refused with a reason."""

import os
import sys
from pathlib import Path

import pytest

from animals.data.folders import find_extra, find_pictures
from animals.errors import DataError
from tests.support.pictures import write_label_folders, write_picture


def test_each_folder_is_a_label_and_each_file_a_picture(tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=2)
    pictures = find_pictures(tmp_path, {})
    assert [(picture.name, picture.label) for picture in pictures[:3]] == [
        ("blue/000.jpg", "blue"),
        ("blue/001.jpg", "blue"),
        ("green/000.jpg", "green"),
    ]
    assert pictures[0].size == (tmp_path / "blue/000.jpg").stat().st_size


@pytest.mark.parametrize("labels", [["sky", "grass", "rose"], ["cold", "cold", "warm"]])
def test_folder_names_are_translated_to_labels(labels: list[str], tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=1)
    pictures = find_pictures(tmp_path, dict(zip(("blue", "green", "red"), labels, strict=True)))
    assert [picture.label for picture in pictures] == labels


def test_folders_inside_a_label_folder_are_read_too(tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=1)
    (tmp_path / "red/deeper").mkdir()
    (tmp_path / "red/000.jpg").replace(tmp_path / "red/deeper/000.jpg")
    assert find_pictures(tmp_path, {})[-1].name == "red/deeper/000.jpg"


def test_hidden_files_and_files_beside_the_label_folders_are_passed_over(tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=1)
    (tmp_path / "red/.DS_Store").touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / "notes.txt").touch()
    assert len(find_pictures(tmp_path, {})) == 3


@pytest.mark.parametrize(
    ("root", "folders", "message"),
    [
        ("gone", {}, "gone is no folder"),
        ("red", {}, r"has 1 label folders \(deeper\); expected two or more"),
        (".", {"blue": "sky", "green": "grass"}, r"folders that are no label: empty, red\. Expected: blue, green"),
        (".", {"blue": "a", "green": "b", "red": "c", "empty": "d", "yellow": "e"}, "lacks the label folders yellow"),
        (".", {}, "label folders without files: empty"),
    ],
)
def test_a_folder_with_the_wrong_layout_is_refused(
    root: str, folders: dict[str, str], message: str, tmp_path: Path
) -> None:
    write_label_folders(tmp_path, per_label=1)
    (tmp_path / "red" / "deeper").mkdir()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        find_pictures(tmp_path / root, folders)


def test_labels_may_have_spaces_capitals_and_letters_of_any_script(tmp_path: Path) -> None:
    labels = ["Unreif, grün", "熟した", "überreif (50%) & $weich$"]
    for label in labels:
        write_picture(tmp_path / label / "0.jpg", (9, 9, 9), seed=0)
    assert {picture.label for picture in find_pictures(tmp_path, {})} == set(labels)


@pytest.mark.parametrize(
    "label", ["", " ripe", "ripe.", "half\nripe", "ripe\u00a0", "ripe/raw", "ripe?", "r" * 101, "\udce9"]
)
def test_a_label_that_cannot_be_used_everywhere_is_named(tmp_path: Path, label: str) -> None:
    write_label_folders(tmp_path, per_label=1)
    with pytest.raises(
        DataError, match=r"has labels that cannot be used: .*1 to 100 printable characters.*data\.folders"
    ) as raised:
        find_pictures(tmp_path, {"blue": label, "green": "grass", "red": "rose"})
    assert repr(label) in str(raised.value)


def test_labels_that_would_be_one_folder_elsewhere_are_named(tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=1)
    with pytest.raises(DataError, match=r"differ only in case.*: Ripe and ripe\."):
        find_pictures(tmp_path, {"blue": "Ripe", "green": "ripe", "red": "rose"})


@pytest.mark.skipif(sys.platform != "linux", reason="other systems spell names in their own way")
def test_a_label_is_spelt_as_it_is_typed(tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=1)
    (tmp_path / "red").replace(tmp_path / "gru\u0308n")
    pictures = find_pictures(tmp_path, {})
    assert (pictures[1].label, pictures[2].label) == ("green", "gr\u00fcn")
    extra = find_extra(tmp_path, tmp_path, {}, {picture.label for picture in pictures})
    assert {picture.label for picture in extra} == {picture.label for picture in pictures}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let no such name be made")
def test_a_name_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    write_label_folders(tmp_path, per_label=1)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/red/caf\xe9.jpg")).touch()
    with pytest.raises(DataError, match=r"has 1 files whose names are not UTF-8, such as 'red/caf\\udce9\.jpg'"):
        find_pictures(tmp_path, {})
