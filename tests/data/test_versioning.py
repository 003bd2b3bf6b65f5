"""Versions of pictures travel between clones through git and a bucket, by DVC itself."""

import contextlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from animals.data import versioning
from animals.data.versioning import add_version, pointer
from animals.errors import PicturesUnavailable, UsageError
from tests.support.emulator import Emulator
from tests.support.pictures import write_label_folders, write_picture

REPOSITORY = Path(__file__).parents[2]
PICTURES = "data/raw/raw-img"


class Clone:
    """A clone of a repository that has this one's settings of git and DVC."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pictures = folder / PICTURES

    def run(self, *words: str) -> str:
        done = subprocess.run(words, cwd=self.folder, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def git(self, words: str) -> str:
        return self.run("git", *words.split())

    def dvc(self, words: str) -> None:
        self.run(sys.executable, "-m", "dvc", *words.split())

    def publish(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Make a version, and do what the command says is to be done next."""
        with contextlib.chdir(self.folder):
            versioning.main(Path("data/raw/raw-img"))
        *_, add, commit, push = capsys.readouterr().out.splitlines()
        for line in (add, commit, push):
            self.run(*shlex.split(line))

    def files(self) -> dict[str, bytes]:
        return {path.relative_to(self.pictures).as_posix(): path.read_bytes() for path in self.pictures.rglob("*.jpg")}


@pytest.fixture
def clone(tmp_path: Path, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A clone whose origin is a bare repository beside it; the test runs in it."""
    environment = {
        **{f"DVC_{name}_DIR": str(tmp_path / name) for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG")},
        **{f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "STORAGE_EMULATOR_HOST": emulator.url,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    first = Clone(tmp_path / "one")
    for file in (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore", "data/.gitignore"):
        (first.folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / file, first.folder / file)
    for words in ("init --quiet -b main", "add -A", "commit --quiet -m start", "init --quiet --bare -b main ../origin"):
        first.git(words)
    for words in ("remote add origin ../origin", "push --quiet -u origin main"):
        first.git(words)
    write_label_folders(first.pictures, per_label=2)
    monkeypatch.chdir(first.folder)
    return first


def test_two_clones_share_each_version_of_the_pictures(
    clone: Clone, emulator: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = clone.folder / ".dvc" / "config"
    config.write_text(
        config.read_text(encoding="utf-8").replace("YOUR-BUCKET", emulator.make_bucket()), encoding="utf-8"
    )
    clone.git("add .dvc/config")
    (clone.pictures / "red" / ".half.jpg.unfinished").write_bytes(b"1")
    clone.publish(capsys)
    assert clone.git("ls-files data").split() == ["data/.gitignore", f"{PICTURES}.dvc"]
    assert clone.git("status --short") == ""

    clone.git("clone --quiet ../origin ../two")
    other = Clone(clone.folder.parent / "two")
    # the command turns off by itself what hangs before an emulator; a bare `dvc` must be told
    monkeypatch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    other.dvc("pull")
    first = other.files()
    assert first == clone.files()
    assert not list(other.pictures.rglob("*.unfinished"))

    write_picture(other.pictures / "red" / "000.jpg", (0, 0, 0), seed=7)
    other.publish(capsys)
    clone.git("pull --quiet")
    clone.dvc("pull")
    assert clone.files() == other.files() != first

    clone.git("checkout --quiet HEAD~1")
    clone.dvc("checkout")
    assert clone.files() == first


@pytest.mark.parametrize(("keep", "reason"), [(True, "gs://YOUR-BUCKET/dvc"), (False, "none is set")])
def test_without_a_bucket_the_message_says_how_to_set_one(clone: Clone, keep: bool, reason: str) -> None:
    if not keep:
        (clone.folder / ".dvc" / "config").write_text("", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"no bucket to push to \({reason}\)\. Set yours and commit") as raised:
        add_version(Path(PICTURES))
    assert str(raised.value).endswith(".dvc/config: dvc remote add --force --default bucket gs://NAME/dvc")
    assert not pointer(clone.pictures).exists()


def test_what_dvc_says_is_shown_when_it_fails(clone: Clone, capfd: pytest.CaptureFixture[str]) -> None:
    clone.dvc("remote add --force --default bucket .gitignore")  # a file, so that no folder can be made there
    with pytest.raises(PicturesUnavailable, match=r"`dvc push data/raw/raw-img\.dvc` failed; its message is above"):
        add_version(Path(PICTURES))
    assert "ERROR: " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (PICTURES, r"raw-img is no folder\. Import pictures first: invoke data --source"),
        (".dvc", r"is no DVC repository: it has no folder \.dvc\. Run this in a clone"),
    ],
)
def test_a_missing_folder_is_named_with_what_to_do(clone: Clone, missing: str, message: str) -> None:
    shutil.rmtree(clone.folder / missing)
    with pytest.raises(UsageError, match=message):
        add_version(Path(PICTURES))


def test_without_dvc_the_message_says_how_to_install_it(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r'DVC is not installed\. Install it with: pip install "dvc\[gs\]"'):
        add_version(clone.pictures)
