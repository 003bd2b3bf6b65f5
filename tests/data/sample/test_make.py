import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.contact_sheet import contact_sheet
from animals.data.sample.drawings import STYLES
from animals.data.sample.make import MARKER, SampleResult, make_sample
from animals.data.sample.scenes import SIZES
from animals.errors import ConfigError, DataError


def pictures(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.glob("*/*"))}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished set of two pictures a label, for reading only."""
    root = tmp_path_factory.mktemp("sample") / "not" / "yet" / "there"
    assert make_sample(root, per_label=2, workers=1) == SampleResult(made=20, skipped=0)
    return root


@pytest.fixture
def ours(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to change."""
    root = tmp_path / "sample"
    for name, content in pictures(made).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (root / MARKER).write_bytes((made / MARKER).read_bytes())
    return root


def test_each_label_has_pictures_of_the_promised_names_and_sizes(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == {*ANIMALS10_FOLDERS, MARKER}
    assert {len(list((made / folder).iterdir())) for folder in ANIMALS10_FOLDERS} == {2}
    for path in made.glob("*/*"):
        with Image.open(path) as picture:
            picture.load()
        assert (picture.format, picture.mode) == ("JPEG", "RGB")
        assert picture.size in SIZES
        assert 2_000 < path.stat().st_size < 60_000
        style, *drawing, index = path.stem.split("-")
        assert STYLES.index(style) == int(index)
        assert drawing


def test_two_processes_make_the_same_bytes_as_one(made: Path, tmp_path: Path) -> None:
    make_sample(tmp_path, per_label=2, workers=2)
    assert pictures(tmp_path) == pictures(made)
    assert (tmp_path / MARKER).read_bytes() == (made / MARKER).read_bytes()


def test_a_larger_set_keeps_the_pictures_and_a_smaller_one_removes_some(
    ours: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = pictures(ours)
    assert make_sample(ours, per_label=3, workers=1) == SampleResult(made=10, skipped=20)
    assert pictures(ours).items() > before.items()
    assert make_sample(ours, per_label=1, workers=1) == SampleResult(made=0, skipped=10, removed=20)
    assert pictures(ours) == {name: content for name, content in before.items() if name.endswith("-000000.jpg")}
    assert "Removing 20 sample pictures" in caplog.text


def test_another_seed_makes_other_pictures(made: Path, tmp_path: Path) -> None:
    make_sample(tmp_path, per_label=1, seed=1, workers=1)
    assert set(pictures(tmp_path).values()).isdisjoint(pictures(made).values())


@pytest.mark.parametrize("styles", [("twemoji", "noto"), ("noto", "twemoji", "noto")])
def test_only_the_styles_asked_for_are_used_in_whatever_order(styles: Sequence[str], tmp_path: Path) -> None:
    make_sample(tmp_path, per_label=2, styles=styles, workers=1)
    assert sorted(name.split("/")[1].split("-")[0] for name in pictures(tmp_path)) == ["noto"] * 10 + ["twemoji"] * 10
    assert json.loads((tmp_path / MARKER).read_text(encoding="utf-8"))["styles"] == ["noto", "twemoji"]


def test_a_finished_set_and_hidden_files_are_left_alone(ours: Path) -> None:
    (ours / "gatto" / ".DS_Store").write_bytes(b"Finder")
    before = {path: path.stat().st_mtime_ns for path in ours.rglob("*")}
    assert make_sample(ours, per_label=2) == SampleResult(made=0, skipped=20)
    assert {path: path.stat().st_mtime_ns for path in ours.rglob("*")} == before


@pytest.mark.parametrize("marked", [True, False])
def test_an_interrupted_set_is_completed(ours: Path, made: Path, marked: bool) -> None:
    if not marked:
        (ours / MARKER).unlink()
    for path in sorted(ours.glob("*/*"))[::7]:
        path.unlink()
    before = {path: path.stat().st_mtime_ns for path in ours.glob("*/*")}
    assert make_sample(ours, per_label=2, workers=1) == SampleResult(made=3, skipped=17)
    assert pictures(ours) == pictures(made)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (ours / MARKER).read_bytes() == (made / MARKER).read_bytes()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to another process")
@pytest.mark.parametrize("name", ["SIGINT", "SIGKILL"])
def test_ctrl_c_or_a_kill_ends_all_processes_and_leaves_whole_pictures(name: str, tmp_path: Path) -> None:
    sent = signal.Signals[name]
    kill = os.killpg if name == "SIGINT" else os.kill  # Ctrl-C reaches the whole group
    call = "import sys, pathlib, animals.data.sample.make as it; it.make_sample(pathlib.Path(sys.argv[1]), workers=2)"
    command = [sys.executable, "-c", call, str(tmp_path)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)
    while len(list(tmp_path.glob("*/*.jpg"))) < 5:
        assert process.poll() is None
        time.sleep(0.05)
    kill(process.pid, sent)
    process.communicate(timeout=60)  # waits for the workers, too: they hold the other end of stderr
    assert process.returncode == -sent
    assert not (tmp_path / MARKER).exists()
    for path in tmp_path.glob("*/*.jpg"):
        with Image.open(path) as picture:
            picture.load()


def test_what_a_killed_process_left_unfinished_is_removed(ours: Path) -> None:
    next(ours.glob("gatto/*.jpg")).unlink()
    (ours / "gatto" / ".noto-cat-000000.jpg.4711.unfinished").write_bytes(b"half")
    make_sample(ours, per_label=2, workers=1)
    assert [path.suffix for path in (ours / "gatto").iterdir()] == [".jpg", ".jpg"]


@pytest.mark.parametrize("settings", [{"seed": 1}, {"styles": ["emojitwo"]}, {}])
def test_a_set_of_other_settings_or_of_an_older_generator_is_made_anew_and_not_mixed(
    settings: dict[str, Any],
    ours: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not settings:
        for module in ("animals.data.sample.make", "animals.data.sample.picture"):
            monkeypatch.setattr(f"{module}.GENERATOR", 99)
    assert make_sample(ours, per_label=1, workers=1, **settings) == SampleResult(made=10, skipped=0, removed=20)
    assert "other settings" in caplog.text
    make_sample(tmp_path / "fresh", per_label=1, workers=1, **settings)
    assert pictures(ours) == pictures(tmp_path / "fresh")


def test_foreign_pictures_are_neither_removed_nor_mixed_with(ours: Path) -> None:
    Image.new("RGB", (8, 8)).save(ours / "gatto" / "tom.jpg")
    before = pictures(ours)
    with pytest.raises(DataError, match=r"has 1 files that are no sample pictures, such as gatto.tom\.jpg"):
        make_sample(ours, per_label=1, seed=5)
    assert pictures(ours) == before
    assert (ours / MARKER).exists()


def test_a_file_instead_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "sample").write_text("a file", encoding="utf-8")
    with pytest.raises(DataError, match="sample is a file; the sample pictures need a folder"):
        make_sample(tmp_path / "sample")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"styles": ["noto", "cubism"]}, "styles is noto, cubism; expected one or more of emojitwo, fluent_flat"),
        ({"styles": []}, "styles is empty; expected one or more of emojitwo"),
        ({"per_label": 0}, "per_label is 0 and seed 0; expected 1 or more, and 0 or more"),
        ({"seed": -1}, "per_label is 375 and seed -1; expected"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_written(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        make_sample(tmp_path / "sample", **settings)
    assert not (tmp_path / "sample").exists()


def test_without_a_terminal_there_is_one_log_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        make_sample(tmp_path, per_label=1, workers=1)
    assert caplog.messages == [f"Sample pictures in {tmp_path}: 10 made, 0 existed already"]
    assert capfd.readouterr() == ("", "")


def test_a_contact_sheet_shows_all_pictures_in_order(made: Path) -> None:
    paths = sorted(made.glob("*/*.jpg"))[:7]
    sheet = contact_sheet(paths, columns=3, cell=(30, 20))
    assert sheet.size == (3 * 34 + 4, 3 * 24 + 4)
    for k, path in enumerate(paths):
        single = contact_sheet([path], columns=1, cell=(30, 20)).crop((4, 4, 34, 24))
        left, top = 4 + k % 3 * 34, 4 + k // 3 * 24
        assert sheet.crop((left, top, left + 30, top + 20)).tobytes() == single.tobytes()


def test_a_contact_sheet_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="got 0 pictures, 8 columns"):
        contact_sheet([])
