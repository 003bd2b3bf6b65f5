"""Which files of a source are pictures, and where they go."""

from pathlib import PurePosixPath

import pytest

from animals.data.sources.label_folders import target_paths
from animals.errors import DataError

TWO = ["cane/1.jpg", "gatto/2.jpg"]


def targets(*names: str) -> dict[str, str]:
    return {name: str(path) for name, path in target_paths(names, "the source").items()}


@pytest.mark.parametrize("wrap", ["", "raw-img/", "archive/raw-img/", "./", "./animals 10/", "a/b/c/d/"])
def test_folders_that_wrap_the_label_folders_are_taken_off(wrap: str) -> None:
    assert targets(*(wrap + name for name in TWO)) == {wrap + name: name for name in TWO}


def test_what_lies_beside_the_label_folders_is_left_out() -> None:
    others = ["translate.py", "cover.jpg", "raw-img/sheet.png", "raw-img/cane/list.txt", "raw-img/.DS_Store", "readme"]
    hidden = ["__MACOSX/raw-img/cane/._1.jpg", "raw-img/.thumbs/1.jpg", ".git/x/1.jpg"]
    wrapped = [f"raw-img/{name}" for name in TWO]
    assert list(targets(*others, *hidden, *wrapped)) == wrapped


def test_folders_in_label_folders_stay() -> None:
    names = ["x/cane/big/1.jpg", "x/cane/small/1.jpg", "x/gatto/1.jpg"]
    assert list(targets(*names).values()) == ["cane/big/1.jpg", "cane/small/1.jpg", "gatto/1.jpg"]


def test_every_format_that_is_decoded_is_a_picture_whatever_its_case() -> None:
    ends = ["jpg", "JPEG", "png", "webp", "gif", "bmp", "TIF", "tiff"]
    names = [f"{folder}/1.{end}" for folder in ("a", "b") for end in ends]
    assert list(targets(*names)) == names


@pytest.mark.parametrize("names", [[], ["1.jpg"], ["cane/1.jpg", "cane/2.jpg"], ["cane/1.txt", "gatto/1.txt"]])
def test_fewer_than_two_label_folders_are_refused(names: list[str]) -> None:
    with pytest.raises(DataError, match=r"the source has no pictures in two or more label folders.*\.jpeg"):
        targets(*names)


@pytest.mark.parametrize(
    "name",
    ["../1.jpg", "a/../../1.jpg", "/etc/1.jpg", "C:/x/1.jpg", "C:1.jpg", "a\\..\\1.jpg", "a/1\n.jpg", "a/\ud800.jpg"],
)
def test_a_name_that_leads_out_of_the_folder_is_refused_on_every_system(name: str) -> None:
    with pytest.raises(DataError, match="leads out of its folder or is not valid on every system"):
        targets(*TWO, name)


def test_odd_names_stay_as_they_are() -> None:
    names = ["my cat/1 \N{NARROW NO-BREAK SPACE}PM.jpg", "hund/ä 12:30.jpg"]
    assert target_paths(names, "") == {name: PurePosixPath(name) for name in names}
