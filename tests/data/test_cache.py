"""Pictures are decoded once, by any number of processes, and never half."""

import errno
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from animals.data import cache, decode
from animals.data.cache import load_cached
from animals.data.decode import inspect_pictures
from animals.data.duplicates import perceptual_hash
from animals.data.folders import find_pictures
from animals.errors import StorageUnavailable
from animals.preprocess import InputSpec, open_picture, to_pixels
from tests.support.pictures import COLORS, scene, turned, write_label_folders, write_picture

SPEC = InputSpec(side=16, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_label_folders(tmp_path / "pictures", per_label=3)


def load(root: Path, spec: InputSpec = SPEC, workers: int = 0) -> np.ndarray:
    pixels, _ = load_cached(root, find_pictures(root, {}), spec, cache_dir=root.parent / "cache", workers=workers)
    return pixels


def made(root: Path) -> list[Path]:
    return sorted(path for path in (root.parent / "cache").iterdir() if path.is_dir())


def test_the_cache_holds_what_preprocessing_gives(root: Path) -> None:
    pixels = load(root)
    expected = [to_pixels(open_picture(root / picture.name), SPEC) for picture in find_pictures(root, {})]
    np.testing.assert_array_equal(pixels, np.stack(expected))


def test_a_second_run_decodes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(root).copy()
    monkeypatch.setattr(decode, "decode_picture", None)  # would fail if it were called
    np.testing.assert_array_equal(load(root), first)


@pytest.mark.parametrize(
    ("change", "caches"), [({"side": 8}, 2), ({"resize": "squash"}, 2), ({"mean": (0.1, 0.2, 0.3)}, 1)]
)
def test_the_size_and_the_cut_make_another_cache_and_the_mean_does_not(
    change: dict[str, Any], caches: int, root: Path
) -> None:
    load(root)
    load(root, replace(SPEC, **change))
    assert len(made(root)) == caches


def test_a_changed_picture_is_decoded_again(root: Path) -> None:
    before = load(root).copy()
    write_picture(root / "blue/000.jpg", COLORS["red"], seed=7)
    after = load(root)
    assert not np.array_equal(after[0], before[0])
    np.testing.assert_array_equal(after[1:], before[1:])


def test_only_added_pictures_are_decoded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(root)
    decoded: list[Path] = []
    inspect = decode._inspect

    def noting(path: Path, *rest: Any) -> decode.Inspection:
        decoded.append(path)
        return inspect(path, *rest)

    monkeypatch.setattr(decode, "_inspect", noting)
    write_picture(root / "green/new.jpg", COLORS["green"], seed=8)
    (root / "blue/000.jpg").unlink()
    pixels, inspections = load_cached(root, find_pictures(root, {}), SPEC, cache_dir=root.parent / "cache", workers=0)
    assert [path.name for path in decoded] == ["new.jpg"]
    expected = [to_pixels(open_picture(root / picture.name), SPEC) for picture in find_pictures(root, {})]
    np.testing.assert_array_equal(pixels, np.stack(expected))
    assert [(it.width, it.problem) for it in inspections] == [(inspections[0].width, "")] * len(expected)
    (root / "green/new.jpg").unlink()
    assert len(load(root)) == len(expected) - 1
    assert len(decoded) == 1


def test_several_processes_give_the_same_pixels_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write_label_folders(tmp_path / "pictures", per_label=4)
    monkeypatch.setattr(decode, "CHUNK", 5)
    names = [picture.name for picture in find_pictures(root, {})]
    outs = {workers: cache._allocate(tmp_path / f"{workers}.npy", (12, 16, 16, 3)) for workers in (0, 2)}
    results = {n: inspect_pictures(root, names, SPEC, out=out, workers=n) for n, out in outs.items()}
    assert results[0] == results[2]
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy"), np.load(tmp_path / "2.npy"))
    assert np.load(tmp_path / "0.npy").any(axis=(1, 2, 3)).all()


def test_two_runs_that_start_at_once_make_it_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    original = cache._fill

    def decode_all(folder: Path, *rest: Any) -> None:
        calls.append(folder)
        original(folder, *rest)

    monkeypatch.setattr(cache, "_fill", decode_all)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(load, [root] * 4))
    assert len(calls) == 1
    assert all(np.array_equal(result, results[0]) for result in results)


def test_unreadable_files_are_inspected_with_their_reason(root: Path) -> None:
    (root / "blue/000.jpg").write_text("no picture", encoding="utf-8")
    (root / "blue/001.jpg").write_bytes((root / "blue/001.jpg").read_bytes()[:700])
    files = find_pictures(root, {})
    pixels, inspections = load_cached(root, files, SPEC, cache_dir=root.parent / "cache", workers=0)
    assert "This is no picture" in inspections[0].problem
    assert "damaged or ends too early" in inspections[1].problem
    assert [inspection.problem for inspection in inspections[2:]] == [""] * 7
    assert not pixels[:2].any()
    (inspection,) = inspect_pictures(root, ["blue/gone.jpg"], SPEC, out=None, workers=0)
    assert inspection.problem == "cannot be read: No such file or directory"


def test_what_each_file_is_comes_back_from_the_cache(root: Path) -> None:
    scene(1, (40, 30)).transpose(Image.Transpose.ROTATE_90).save(root / "blue/000.jpg", exif=turned(6))
    scene(2).convert("L").save(root / "blue/001.jpg", format="PNG")
    (root / "blue/002.jpg").write_text("no picture", encoding="utf-8")
    files = find_pictures(root, {})
    results = [load_cached(root, files, SPEC, cache_dir=root.parent / "cache", workers=0)[1] for _ in range(2)]
    assert results[0] == results[1] == inspect_pictures(root, [file.name for file in files], SPEC, out=None, workers=0)
    rotated, grey, broken = results[1][:3]
    assert (rotated.format, rotated.mode, rotated.orientation, rotated.width) == ("JPEG", "RGB", 6, 40)
    assert (grey.format, grey.mode, grey.orientation) == ("PNG", "L", 1)
    assert grey.perceptual_hash == perceptual_hash(open_picture(root / "blue/001.jpg"))
    assert broken.problem
    assert (broken.width, broken.perceptual_hash) == (0, "")


def test_a_full_disk_is_one_sentence_and_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(decode.PixelFile, "write", full)
    with pytest.raises(StorageUnavailable, match=r"\(0 MB\) could not be stored in .*cache: No space left on device"):
        load(root)
    assert made(root) == []


def test_an_interrupted_decode_leaves_nothing_that_looks_whole(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(decode, "_inspect", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load(root)
    assert made(root) == []
    assert load(root).any()
