"""Pictures are copied completely or not at all, and an interrupted import resumes."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import pytest

from animals.data.sources.folder import ImportResult, copy_pictures, count_pictures
from animals.errors import DataError, StorageUnavailable
from tests.support.pictures import file_contents

FILES = {f"{label}/{number}.jpg": os.urandom(5000) for label in ("cane", "gatto") for number in range(4)}


class Files:
    """A source in memory that may break, and remembers what it was asked for."""

    def __init__(self, files: dict[str, bytes], *, breaks_at: str = "") -> None:
        self.url = "a source"
        self.files = files
        self.asked: list[str] = []
        self._breaks_at = breaks_at

    def sizes(self) -> dict[str, int]:
        return {name: len(data) for name, data in self.files.items()}

    def read(self, names: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
        for name in names:
            self.asked.append(name)
            yield name, self._pieces(name)

    def _pieces(self, name: str) -> Iterator[bytes]:
        yield self.files[name][:2000]
        if name == self._breaks_at:
            raise StorageUnavailable("the source is gone")
        yield self.files[name][2000:]


def test_every_picture_comes_to_its_label(tmp_path: Path) -> None:
    root = tmp_path / "not" / "yet" / "there"
    source = Files({**FILES, "translate.py": b"1"})

    assert copy_pictures(source, root) == ImportResult(new=8, existing=0, left_out=("translate.py",))
    assert file_contents(root) == FILES
    assert count_pictures(root) == {"cane": 4, "gatto": 4}


def test_what_is_there_whole_is_not_brought_again(tmp_path: Path) -> None:
    copy_pictures(Files(FILES), tmp_path)
    (tmp_path / "cane" / "1.jpg").unlink()
    (tmp_path / "gatto" / "2.jpg").write_bytes(b"of another size")
    source = Files(FILES)

    assert copy_pictures(source, tmp_path) == ImportResult(new=2, existing=6)
    assert sorted(source.asked) == ["cane/1.jpg", "gatto/2.jpg"]
    assert file_contents(tmp_path) == FILES


def test_a_source_that_breaks_off_leaves_whole_pictures_only(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match=r"^the source is gone$"):
        copy_pictures(Files(FILES, breaks_at="gatto/1.jpg"), tmp_path)
    assert file_contents(tmp_path) == {name: FILES[name] for name in list(FILES)[:5]}

    copy_pictures(Files(FILES), tmp_path)
    assert file_contents(tmp_path) == FILES


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_after_a_kill_in_the_middle_of_a_picture_it_goes_on(tmp_path: Path) -> None:
    killed = f"""
import os, signal
from pathlib import Path
from animals.data.sources.folder import copy_pictures
from tests.data.sources.test_folder import Files

class Killed(Files):
    def _pieces(self, name):
        yield self.files[name]
        if name == "cane/2.jpg":
            os.kill(os.getpid(), {signal.SIGKILL:d})

copy_pictures(Killed({FILES!r}), Path("pictures"))
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    done = subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    root = tmp_path / "pictures"
    assert [path.name for path in sorted(root.glob("cane/*"))] == [".2.jpg.unfinished", "0.jpg", "1.jpg"]
    assert count_pictures(root) == {"cane": 2}

    copy_pictures(Files(FILES), root)
    assert file_contents(root) == FILES


def test_other_files_stay(tmp_path: Path) -> None:
    (tmp_path / "cane").mkdir()
    (tmp_path / "cane" / "mine.jpg").write_bytes(b"mine")
    copy_pictures(Files(FILES), tmp_path)
    assert file_contents(tmp_path) == {**FILES, "cane/mine.jpg": b"mine"}


def test_a_source_without_labels_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two or more label folders"):
        copy_pictures(Files({"1.jpg": b"1"}), tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_disk_without_room_is_named_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=39_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(StorageUnavailable, match=r"need 0 MB and the disk of .*pictures has 0 MB free"):
        copy_pictures(Files(FILES), tmp_path / "pictures")
    assert not (tmp_path / "pictures").exists()


def test_a_disk_that_refuses_is_named_and_holds_no_half_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", no_space)
    with pytest.raises(StorageUnavailable, match=r"Could not write .*0\.jpg: No space left .* skips what exists"):
        copy_pictures(Files(FILES), tmp_path)
    assert file_contents(tmp_path) == {}


def test_a_file_in_the_place_of_a_label_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "cane").write_bytes(b"no folder")
    with pytest.raises(StorageUnavailable, match=r"Could not write .*cane.0\.jpg: (File exists|Not a directory)"):
        copy_pictures(Files(FILES), tmp_path)


def test_folders_in_label_folders_count_and_hidden_files_do_not(tmp_path: Path) -> None:
    for name in ["cane/1.jpg", "cane/more/2.jpg", "cane/.3.jpg", "cane/.more/4.jpg", ".git/5.jpg", "6.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    assert count_pictures(tmp_path) == {"cane": 2}
    assert count_pictures(tmp_path / "gone") == {}
