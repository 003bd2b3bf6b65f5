import os
from pathlib import Path

import pytest

from animals.bulk.sources import find_pictures
from animals.errors import DataError, StorageUnavailable
from animals.storage import open_storage

EVERY = ["a.png", "b.PNG", "more/broken.jpg", "more/c.jpg"]


def below(folder: Path, *sources: str) -> list[str]:
    return [Path(name).relative_to(folder).as_posix() for name in find_pictures([str(folder / it) for it in sources])]


def test_a_folder_is_searched_for_the_endings_of_pictures(photos: Path) -> None:
    assert below(photos, "") == EVERY


def test_names_are_as_they_were_given(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos.parent)
    assert find_pictures(["photos/more"]) == ["photos/more/broken.jpg", "photos/more/c.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.png", ["a.png"]),
        ("**/*.jpg", ["more/broken.jpg", "more/c.jpg"]),
        ("[ab].*", ["a.png", "b.PNG"]),
        ("*", ["a.png", "b.PNG", "notes.txt"]),
        ("notes.txt", ["notes.txt"]),
    ],
)
def test_a_pattern_is_taken_at_its_word_but_only_for_files(photos: Path, pattern: str, expected: list[str]) -> None:
    assert below(photos, pattern) == expected


def test_a_file_with_the_signs_of_a_pattern_in_its_name_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].png").touch()
    assert below(tmp_path, "a[1].png") == ["a[1].png"]


def test_several_sources_are_one_list_with_each_picture_once(photos: Path) -> None:
    assert below(photos, "more", "*.png", "", "a.png") == EVERY


def test_a_bucket_is_searched(gcs_url: str) -> None:
    storage = open_storage(gcs_url)
    for name in ("photos/a.png", "photos/deep/b.jpg", "photos/notes.txt", "other/c.png"):
        storage.write(name, b"x")
    assert find_pictures([f"{gcs_url}/photos/"]) == [f"{gcs_url}/photos/a.png", f"{gcs_url}/photos/deep/b.jpg"]


@pytest.mark.parametrize("source", ["", "nowhere", "*.gif", "more/.hidden/e.png"])
def test_where_there_are_none_it_is_said_what_was_expected(photos: Path, source: str) -> None:
    (photos / "empty").mkdir()
    wanted = str(photos / (source or "empty"))
    with pytest.raises(DataError, match="There are no pictures in") as caught:
        find_pictures([str(photos), wanted])
    assert wanted in str(caught.value)
    assert ".jpg" in str(caught.value)


def test_a_bucket_that_is_not_there_is_told(gcs_url: str) -> None:
    with pytest.raises(StorageUnavailable, match="no bucket"):
        find_pictures(["gs://nowhere-at-all"])
    assert gcs_url


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_what_is_no_regular_file_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")  # whose reader would wait for ever
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "a.png").touch()
    assert below(tmp_path, "") == below(tmp_path, "*.png") == ["a.png"]
