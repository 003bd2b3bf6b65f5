"""`animals data --check`: what a person sees, what is written, and the exit code."""

import csv
import sys
from pathlib import Path

import pytest
from PIL import Image

from animals.data import checks
from animals.errors import ConfigError, DataError, StorageUnavailable
from tests.support.pictures import scene

REPORT = Path("data/checks/pictures")


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of good pictures, and the working directory beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    for index, label in enumerate(("cat", "dog")):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(10):
            scene(100 * index + number).save(tmp_path / "pictures" / label / f"{number}.jpg")
    return tmp_path / "pictures"


def check(*overrides: str) -> None:
    checks.main(["experiment=folder", "method=full", "data.root=pictures", "data.workers=0", *overrides])


def test_good_pictures_pass(capsys: pytest.CaptureFixture[str]) -> None:
    check()
    assert capsys.readouterr().out == "pictures: 20 files, 2 labels\nNothing found.\nReport: data/checks/pictures\n"
    assert (REPORT / "findings.md").read_text(
        encoding="utf-8"
    ) == "### pictures: 20 files, 2 labels\n\nNothing found.\n"
    assert not (REPORT / "findings.png").exists()


def test_what_training_copes_with_is_shown_and_passes(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "cat/broken.jpg").write_text("no picture", encoding="utf-8")
    scene(7000).convert("L").save(root / "cat/[grey].jpg")
    check()
    shown = capsys.readouterr().out
    assert "unreadable" in shown
    assert "cat/[grey].jpg: mode L" in shown
    assert "Training handles all of this." in shown


def test_a_picture_under_two_labels_ends_with_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    scene(3, (60, 45)).save(root / "dog/x.jpg")
    with pytest.raises(SystemExit) as caught:
        check()
    assert caught.value.code == 1
    assert "Fix this before training: two labels." in capsys.readouterr().out


def test_a_label_that_would_vanish_ends_with_exit_code_1(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "dog/0.jpg").unlink()
    with pytest.raises(SystemExit, match="1"):
        check()
    assert "dog: 9 different pictures, 10 needed" in capsys.readouterr().out


def test_every_finding_is_a_row_of_the_csv(root: Path) -> None:
    scene(3, (60, 45)).save(root / "cat/x.jpg")
    (root / "cat/y.jpg").write_text("no picture", encoding="utf-8")
    check()
    with (REPORT / "findings.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] != "would leak"]
    assert [(row["kind"], row["name"], row["label"], row["group"]) for row in rows] == [
        ("near duplicate", "cat/3.jpg", "cat", "cat/3.jpg"),
        ("near duplicate", "cat/x.jpg", "cat", "cat/3.jpg"),
        ("unreadable", "cat/y.jpg", "cat", ""),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_the_markdown_is_a_table_whatever_files_are_called(root: Path) -> None:
    for number in range(2):
        (root / f"cat/a|{number}.jpg").write_text("no picture", encoding="utf-8")
    check()
    lines = (REPORT / "findings.md").read_text(encoding="utf-8").splitlines()
    assert lines[2:4] == ["| Finding | Count | For example | What to do |", "| --- | --- | --- | --- |"]
    assert lines[4].startswith("| unreadable | 2 | cat/a&#124;0.jpg: This is no picture")
    assert lines[-1] == "Training handles all of this."


def test_the_sheet_shows_readable_finds_with_duplicates_side_by_side(root: Path) -> None:
    scene(3, (60, 45)).save(root / "cat/x.jpg")
    (root / "cat/y.jpg").write_text("no picture", encoding="utf-8")
    scene(7000).convert("L").save(root / "cat/z.jpg")
    check()
    with Image.open(REPORT / "findings.png") as sheet:
        cells = [sheet.crop((4 + 154 * index, 4, 154 + 154 * index, 116)) for index in range(4)]
    assert [len(cell.getcolors(maxcolors=99999) or []) > 1 for cell in cells] == [True, True, True, False]
    first, second, third = (cell.resize((8, 8)).convert("L").tobytes() for cell in cells[:3])
    difference = [sum(abs(a - b) for a, b in zip(first, other, strict=True)) for other in (second, third)]
    assert difference[0] < difference[1] / 4


def test_an_earlier_sheet_does_not_stay(root: Path) -> None:
    scene(7000).convert("L").save(root / "cat/z.jpg")
    check()
    (root / "cat/z.jpg").unlink()
    check()
    assert not (REPORT / "findings.png").exists()


def test_a_check_after_a_check_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene(3, (60, 45)).save(root / "cat/x.jpg")
    check()
    before = (REPORT / "findings.csv").read_bytes()
    monkeypatch.setattr("animals.data.decode.decode_picture", None)  # would fail if it were called
    check()
    assert (REPORT / "findings.csv").read_bytes() == before


def test_a_misspelt_override_is_named() -> None:
    with pytest.raises(ConfigError, match=r"There is no setting data\.rot\. Did you mean root\?"):
        check("data.rot=x")


def test_a_folder_that_is_none_is_refused(root: Path) -> None:
    (root / "owl").mkdir()
    with pytest.raises(DataError, match="label folders without files: owl"):
        check()


def test_a_report_that_cannot_be_written_is_one_sentence() -> None:
    Path("data").mkdir()
    Path("data/checks").write_text("a file in the folder's index", encoding="utf-8")
    with pytest.raises(StorageUnavailable, match="The findings could not be written into data/checks/pictures: "):
        check()
