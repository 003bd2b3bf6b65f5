"""Zip and tar files of every kind are read, resumed when cut off, and refused when damaged or meant badly."""

import gzip
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from animals.data.sources import archive
from animals.data.sources.archive import open_archive
from animals.data.sources.folder import ImportResult, copy_pictures
from animals.errors import DataError
from tests.support.archive_files import FILES, add, make_archive
from tests.support.pictures import file_contents

KINDS = ["zip", "stored.zip", "tar", "tar.gz", "tar.bz2", "tar.xz"]
COMPRESSED = ["zip", "stored.zip", "tar.gz", "tar.bz2", "tar.xz"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wrap", ["raw-img/", "archive/raw-img/", "./"])
def test_the_pictures_of_an_archive_come_without_what_wraps_them(kind: str, wrap: str, tmp_path: Path) -> None:
    path = make_archive(tmp_path / f"a.{kind}", wrap=wrap)
    result = copy_pictures(open_archive(path), tmp_path / "root")
    assert result == ImportResult(new=16, existing=0, left_out=("translate.py",))
    assert file_contents(tmp_path / "root") == FILES


@pytest.mark.parametrize("kind", KINDS)
def test_members_that_are_there_whole_are_skipped(kind: str, tmp_path: Path) -> None:
    path, root = make_archive(tmp_path / f"a.{kind}"), tmp_path / "root"
    copy_pictures(open_archive(path), root)
    (root / "gatto" / "3.jpg").unlink()
    kept = (root / "cane" / "0.jpg").stat()

    assert copy_pictures(open_archive(path), root) == ImportResult(new=1, existing=15, left_out=("translate.py",))
    assert file_contents(root) == FILES
    assert (root / "cane" / "0.jpg").stat().st_mtime_ns == kept.st_mtime_ns


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.05, 0.5, 0.9])
def test_an_archive_that_ends_too_early_is_refused_and_leaves_no_half_file(
    kind: str, part: float, tmp_path: Path
) -> None:
    path = make_archive(tmp_path / f"a.{kind}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(DataError, match=r"a\..* cannot be read completely: .* Download it again"):
        copy_pictures(open_archive(path), tmp_path / "root")
    assert file_contents(tmp_path / "root") == {}


@pytest.mark.parametrize("kind", COMPRESSED)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
def test_a_changed_byte_is_noticed_and_leaves_whole_files_only(kind: str, part: float, tmp_path: Path) -> None:
    path = make_archive(tmp_path / f"a.{kind}")
    content = bytearray(path.read_bytes())
    content[int(len(content) * part)] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cannot be read completely|its beginning is damaged"):
        copy_pictures(open_archive(path), tmp_path / "root")
    assert file_contents(tmp_path / "root").items() <= FILES.items()

    copy_pictures(open_archive(make_archive(path)), tmp_path / "root")
    assert file_contents(tmp_path / "root") == FILES


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_damaged_the_error_is_ours(kind: str, tmp_path: Path) -> None:
    whole = make_archive(tmp_path / f"a.{kind}").read_bytes()
    for seed in range(40):
        chance = random.Random(seed)  # noqa: S311
        content = bytearray(whole)
        for _ in range(chance.randrange(1, 20)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path = tmp_path / f"b.{kind}"
        path.write_bytes(content)
        try:
            copy_pictures(open_archive(path), tmp_path / str(seed))
        except DataError:
            continue
        # a plain tar has no checksums
        assert kind == "tar" or file_contents(tmp_path / str(seed)).items() <= FILES.items()


def test_a_broken_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "a.tar")
    with tarfile.open(path) as tar:
        offset = tar.getmember("raw-img/gatto/4.jpg").offset
    content = bytearray(path.read_bytes())
    content[offset + 150] ^= 0xFF  # in the header's checksum
    path.write_bytes(content)
    with pytest.raises(DataError, match="no end after member 14"):
        copy_pictures(open_archive(path), tmp_path / "root")


def test_a_tar_file_that_was_cut_between_two_members_is_noticed(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "a.tar")
    with tarfile.open(path) as tar:
        offset = tar.getmember("raw-img/gatto/4.jpg").offset
    path.write_bytes(path.read_bytes()[:offset])
    with pytest.raises(DataError, match="no end after member 14"):
        copy_pictures(open_archive(path), tmp_path / "root")


@pytest.mark.parametrize("name", ["../out.jpg", "raw-img/../../out.jpg", "/tmp/out.jpg", "C:/out.jpg", "..\\out.jpg"])  # noqa: S108
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_member_outside_the_folder_makes_the_archive_invalid(kind: str, name: str, tmp_path: Path) -> None:
    path = make_archive(tmp_path / f"a.{kind}", {**FILES, name: b"out"}, wrap="")
    with pytest.raises(DataError, match=r"which is no plain file below the archive's own folder\. Nothing was written"):
        copy_pictures(open_archive(path), tmp_path / "root")
    assert {child.name for child in tmp_path.iterdir()} == {path.name}


@pytest.mark.parametrize(
    "fields",
    [
        {"type": tarfile.SYMTYPE, "linkname": "/etc"},
        {"type": tarfile.LNKTYPE, "linkname": "cane/0.jpg"},
        {"type": tarfile.FIFOTYPE},
        {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 5},
        {"type": tarfile.BLKTYPE},
    ],
    ids=["symlink", "hard link", "fifo", "character device", "block device"],
)
def test_a_link_or_device_makes_a_tar_file_invalid(fields: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for name, data in FILES.items():
            add(tar, name, data)
        add(tar, "cane/x.jpg", b"", **fields)
    with pytest.raises(DataError, match=r"a\.tar contains 'cane/x\.jpg', which is no plain file"):
        copy_pictures(open_archive(path), tmp_path / "root")
    assert not (tmp_path / "root").exists()


def test_a_link_makes_a_zip_file_invalid(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as zipped:
        link = zipfile.ZipInfo("raw-img/cane/x.jpg")
        link.external_attr = 0o120777 << 16
        zipped.writestr(link, "/etc/passwd")
    with pytest.raises(DataError, match=r"contains 'raw-img/cane/x\.jpg', which is no plain file"):
        copy_pictures(open_archive(path), tmp_path / "root")
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
def test_an_archive_that_unpacks_to_too_much_is_refused(kind: str, tmp_path: Path) -> None:
    path = make_archive(tmp_path / f"a.{kind}", {**FILES, "cane/bomb.jpg": bytes(2_000_000)})
    with pytest.raises(DataError, match=r"unpacks to more than 0 GB or 1,000,000 files\. Nothing was written"):
        copy_pictures(open_archive(path, max_bytes=1_000_000), tmp_path / "root")
    assert not (tmp_path / "root").exists()
    copy_pictures(open_archive(path, max_bytes=3_000_000), tmp_path / "root")


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_of_too_many_members_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 17)
    path = make_archive(tmp_path / f"a.{kind}")  # 16 pictures, one other file, one folder
    with pytest.raises(DataError, match="unpacks to more than 50 GB or 17 files"):
        copy_pictures(open_archive(path), tmp_path / "root")


def padding(path: Path) -> None:
    with gzip.open(path, "ab") as file:
        file.write(bytes(20_000_000))


def long_name(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        add(tar, "././@LongLink", b"x" * 20_000_000, type=tarfile.GNUTYPE_LONGNAME)


@pytest.mark.parametrize("bomb", [padding, long_name])
def test_a_bomb_outside_the_members_is_refused(
    bomb: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1000)
    path = make_archive(tmp_path / "a.tar.gz")
    bomb(path)
    with pytest.raises(DataError, match="unpacks to more than"):
        copy_pictures(open_archive(path, max_bytes=1_000_000), tmp_path / "root")


def test_a_zip_file_with_a_password_says_so(tmp_path: Path) -> None:
    path = make_archive(tmp_path / "a.zip")
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        offset = -1
        while (offset := content.find(signature, offset + 1)) >= 0:
            content[offset + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is encrypted, password required.* Unpack it yourself and name the folder"):
        copy_pictures(open_archive(path), tmp_path / "root")
    assert file_contents(tmp_path / "root") == {}


@pytest.mark.parametrize(
    "content", [b"", b"no archive at all", gzip.compress(b"name,label\n")], ids=["empty", "text", "csv.gz"]
)
def test_a_file_that_is_no_archive_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=r"file is no zip or tar file, or its beginning is damaged\. Expected"):
        open_archive(tmp_path / "file")
