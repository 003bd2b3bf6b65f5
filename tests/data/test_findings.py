"""Each thing that may be wrong with a picture is find, and nothing on good pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from animals.config.data import DataConfig
from animals.data import findings
from animals.data.findings import (
    DUPLICATE,
    EXTENSION,
    HUGE,
    LEAK,
    MODE,
    NEAR,
    ROTATED,
    SCARCE,
    TINY,
    TWO_LABELS,
    UNREADABLE,
    Finding,
    find_all,
)
from animals.data.load import inspect_folder, load_data_set, spec_without_model
from tests.support.pictures import scene, turned

LABELS = ("cat", "dog")


@pytest.fixture
def config(tmp_path: Path) -> DataConfig:
    """Ten good pictures of each label."""
    root = tmp_path / "pictures"
    for index, label in enumerate(LABELS):
        (root / label).mkdir(parents=True)
        for number in range(10):
            scene(100 * index + number).save(root / label / f"{number}.jpg")
    return DataConfig(root=str(root), side=32, cache_dir=str(tmp_path / "cache"), workers=0)


def find(config: DataConfig) -> list[Finding]:
    return find_all(inspect_folder(config, spec_without_model(config)), config)


def kinds(config: DataConfig) -> dict[str, str]:
    """What was find about `cat/x`, whatever its ending."""
    return {it.type.name: it.detail for it in find(config) if it.name.startswith("cat/x")}


def test_good_pictures_have_no_findings(config: DataConfig) -> None:
    assert find(config) == []


def test_a_truncated_file_and_one_that_is_no_picture_are_unreadable(config: DataConfig) -> None:
    cat = Path(config.root) / "cat"
    (cat / "x.jpg").write_bytes((cat / "0.jpg").read_bytes()[:900])
    (cat / "y.jpg").write_text("no picture", encoding="utf-8")
    assert [(it.type, it.name) for it in find(config)] == [(UNREADABLE, "cat/x.jpg"), (UNREADABLE, "cat/y.jpg")]
    assert "ends too early" in find(config)[0].detail


@pytest.mark.parametrize(
    ("name", "format", "detail"),
    [
        ("x.jpg", "PNG", "PNG named .jpg"),
        ("x", "JPEG", "JPEG named without an extension"),
        ("x.txt", "GIF", "GIF named .txt"),
        ("x.JPEG", "JPEG", None),
        ("x.tif", "TIFF", None),
    ],
)
def test_an_ending_that_does_not_fit_the_content_is_found(
    name: str, format: str, detail: str | None, config: DataConfig
) -> None:
    scene(7000).save(Path(config.root) / "cat" / name, format=format)
    assert kinds(config).get(EXTENSION.name) == detail


def test_a_phones_jpeg_with_a_second_picture_behind_it_is_named_rightly(config: DataConfig) -> None:
    scene(7000).save(Path(config.root) / "cat/x.jpg", format="MPO", save_all=True, append_images=[scene(7001)])
    assert kinds(config) == {}


@pytest.mark.parametrize(
    ("side", "short", "tiny"), [(32, 31, True), (32, 32, False), (100, 49, True), (100, 50, False)]
)
def test_less_than_half_the_models_side_or_32_pixels_is_tiny(
    side: int, short: int, tiny: bool, config: DataConfig
) -> None:
    config.side = side
    scene(7000, (short, 200)).save(Path(config.root) / "cat/x.jpg")
    assert kinds(config) == ({TINY.name: f"{short}x200 pixels"} if tiny else {})


def test_a_huge_and_rotated_picture_is_found(config: DataConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "HUGE_PIXELS", 120 * 90)
    scene(7000, (121, 90)).save(Path(config.root) / "cat/x.jpg", exif=turned(8))
    assert kinds(config) == {HUGE.name: "90x121 pixels", ROTATED.name: "EXIF orientation 8"}


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "I;16"])
def test_another_mode_than_rgb_is_found(mode: str, config: DataConfig) -> None:
    grey = np.asarray(scene(7000).convert("L"))
    picture = Image.fromarray(grey.astype(np.uint16) * 257) if mode == "I;16" else scene(7000).convert(mode)
    picture.save(Path(config.root) / f"cat/x.{'jpg' if mode == 'CMYK' else 'png'}")
    assert kinds(config) == {MODE.name: f"mode {mode}"}


def test_the_same_file_twice_is_a_duplicate_and_no_near_one(config: DataConfig) -> None:
    cat = Path(config.root) / "cat"
    (cat / "x.jpg").write_bytes((cat / "3.jpg").read_bytes())
    twins = [it for it in find(config) if it.type != LEAK]
    assert [(it.type, it.name, it.group) for it in twins] == [
        (DUPLICATE, "cat/3.jpg", "cat/3.jpg"),
        (DUPLICATE, "cat/x.jpg", "cat/3.jpg"),
    ]
    assert twins[0].detail == "one of 2 files with this content"


def test_a_smaller_copy_is_a_near_duplicate_and_names_the_other(config: DataConfig) -> None:
    scene(3, (60, 45)).save(Path(config.root) / "cat/x.jpg")
    near = {it.name: it.detail for it in find(config) if it.type == NEAR}
    assert near == {"cat/3.jpg": "looks like cat/x.jpg", "cat/x.jpg": "looks like cat/3.jpg"}
    assert DUPLICATE not in {it.type for it in find(config)}


def test_the_same_picture_under_two_labels_is_an_error(config: DataConfig) -> None:
    scene(3, (60, 45)).save(Path(config.root) / "dog/x.jpg")
    two = [it for it in find(config) if it.type == TWO_LABELS]
    assert [(it.name, it.detail) for it in two] == [
        ("cat/3.jpg", "dog/x.jpg is dog"),
        ("dog/x.jpg", "cat/3.jpg is cat"),
    ]
    assert TWO_LABELS.blocking


def test_what_a_split_of_single_pictures_would_tear_apart_is_told(config: DataConfig) -> None:
    for number in range(10):
        scene(number, (60, 45)).save(Path(config.root) / f"cat/{number}-small.jpg")
    leaks = [it for it in find(config) if it.type == LEAK]
    assert leaks
    assert all(it.detail.startswith(("in val, with cat/", "in test, with cat/")) for it in leaks)
    data_set = load_data_set(config, spec_without_model(config))
    split = {row.name: row.split for row in data_set.manifest}
    assert all(split[it.name] == split[it.group] for it in leaks)  # the training's own split does not


def test_labels_that_would_vanish_are_found(config: DataConfig) -> None:
    for path in (Path(config.root) / "cat").iterdir():
        path.write_text("no picture", encoding="utf-8")
    (Path(config.root) / "dog/0.jpg").unlink()
    scarce = [it for it in find(config) if it.type == SCARCE]
    assert [(it.label, it.detail) for it in scarce] == [
        ("cat", "none of its files is readable"),
        ("dog", "9 different pictures, 10 needed"),
    ]
    assert SCARCE.blocking


def test_the_worst_is_told_first(config: DataConfig) -> None:
    scene(3, (60, 45)).save(Path(config.root) / "dog/x.jpg")
    scene(7000).convert("L").save(Path(config.root) / "cat/x.jpg")
    (Path(config.root) / "cat/y.jpg").write_text("no picture", encoding="utf-8")
    order = list(dict.fromkeys(it.type for it in find(config) if it.type != LEAK))
    assert order == [TWO_LABELS, NEAR, UNREADABLE, MODE]
