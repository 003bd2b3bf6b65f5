import errno
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from google.cloud import storage as gcs

from animals.errors import ConfigError, NoSuchObject, ObjectChanged, StorageUnavailable
from animals.storage import ABSENT, FolderStorage, GcsStorage, Storage, StoredObject, open_storage
from tests.support.emulator import Emulator, free_port
from tests.support.http import Proxy, Request, Response

BAD_NAMES = [
    *("../x", "/x", "a//b", "", "a\\b", ".", "a/", "a/../b", ".hidden", "a/.hidden/b"),
    *("a\nb", "a\0b", "a\u2028b", "a\ud800"),
]

SPAWN = multiprocessing.get_context("spawn")

VERBS: dict[str, Callable[[Storage], object]] = {
    "read": lambda storage: storage.read("x"),
    "write": lambda storage: storage.write("x", b"1"),
    "names": lambda storage: list(storage.names()),
    "sizes": lambda storage: list(storage.sizes()),
    "delete": lambda storage: storage.delete("x"),
}
each_verb = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS.keys())


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path / "bucket")


def files_in(folder: FolderStorage) -> set[str]:
    """Every file, the hidden ones too."""
    return {path.name for path in folder.root.rglob("*")} - {".lock"}


@pytest.mark.parametrize(
    "data", [b"", b"text", bytes(range(256)), os.urandom(20_000_000)], ids=["empty", "text", "binary", "20 MB"]
)
def test_the_last_write_is_read_back(bucket: Storage, data: bytes) -> None:
    first = bucket.write("models/r1/model.onnx", b"old and longer")
    second = bucket.write("models/r1/model.onnx", data)
    assert bucket.read("models/r1/model.onnx") == StoredObject(data, second)
    assert first != second


def test_a_missing_object_cannot_be_read_or_deleted(bucket: Storage) -> None:
    bucket.write("a/there", b"1")
    for name in ["missing", "a/missing", "a"]:
        with pytest.raises(NoSuchObject, match=f"has no object {name}"):
            bucket.read(name)
        with pytest.raises(NoSuchObject, match=f"has no object {name}"):
            bucket.delete(name)


def test_an_object_is_deleted_only_in_the_generation_that_was_read(bucket: Storage) -> None:
    bucket.write("y", b"1")
    old = bucket.write("x", b"old")
    new = bucket.write("x", b"new")

    with pytest.raises(ObjectChanged, match=r"x in .* was changed by another process"):
        bucket.delete("x", if_generation=old)
    assert bucket.read("x").data == b"new"
    bucket.delete("x", if_generation=new)
    assert list(bucket.names()) == ["y"]
    with pytest.raises(NoSuchObject):
        bucket.delete("x", if_generation=new)
    bucket.delete("y")
    assert list(bucket.names()) == []


def test_google_refuses_to_delete_what_changed_a_moment_ago(
    gcs_url: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    generation = open_storage(gcs_url).write("x", b"1")

    def refuse(request: Request) -> Response | None:
        return Response(412, b"conditionNotMet") if request.method == "DELETE" else None

    with Proxy(emulator.port, instead=refuse) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        with pytest.raises(ObjectChanged):
            open_storage(gcs_url).delete("x", if_generation=generation)


def test_names_and_sizes_are_sorted_and_start_with_the_prefix(bucket: Storage) -> None:
    assert list(bucket.names()) == []
    for size, name in enumerate(
        ["models/b", "models/a2/card.json", "models/a1", "models/ä", "models/Z", "modelsx", "x"]
    ):
        bucket.write(name, bytes(size))

    models = ["models/Z", "models/a1", "models/a2/card.json", "models/b", "models/ä"]
    assert list(bucket.names()) == [*models, "modelsx", "x"]
    assert list(bucket.names("models/")) == models
    assert list(bucket.names("models")) == [*models, "modelsx"]
    assert list(bucket.sizes("models/a")) == [("models/a1", 2), ("models/a2/card.json", 1)]
    assert list(bucket.names("models/a2/card.json")) == ["models/a2/card.json"]
    assert list(bucket.names("feedback/")) == []
    assert list(bucket.sizes("models/b/")) == []


def test_an_object_that_is_deleted_while_sizes_are_listed_is_left_out(folder: FolderStorage) -> None:
    for name in ["a", "b", "c"]:
        folder.write(name, b"1")
    sizes = folder.sizes()
    next(sizes)
    folder.delete("b")

    assert list(sizes) == [("c", 1)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets not everybody make links")
def test_a_file_whose_size_cannot_be_read_is_unavailable(folder: FolderStorage) -> None:
    folder.write("x", b"1")
    (folder.root / "y").symlink_to("y")
    with pytest.raises(StorageUnavailable, match=r"Could not read the size of .*y: Too many levels of symbolic links"):
        list(folder.sizes())


@pytest.mark.parametrize(
    "name",
    [
        *("3 \N{NARROW NO-BREAK SPACE}PM.jpg", "a\N{ZERO WIDTH NON-JOINER}b", "ä:*?.jpg"),
        "raw/été\u00a0🐈\u200d⬛ (1)+&%25#?.jpg",
    ],
)
def test_an_odd_name_is_a_name(bucket: Storage, name: str) -> None:
    if sys.platform == "win32" and isinstance(bucket, FolderStorage) and set(name) & set(":*?"):
        pytest.skip("Windows has no such names.")
    bucket.write(name, b"1")
    assert bucket.read(name).data == b"1"
    assert list(bucket.names()) == [name]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_is_no_plain_relative_path_is_refused(bucket: Storage, name: str) -> None:
    with pytest.raises(ConfigError, match="is not an object name; expected a relative path"):
        bucket.read(name)
    with pytest.raises(ConfigError):
        bucket.write(name, b"1")
    with pytest.raises(ConfigError):
        bucket.delete(name)
    if name not in ("", "a/"):
        with pytest.raises(ConfigError):
            list(bucket.names(name))


def test_an_object_is_written_only_in_the_generation_that_was_read(bucket: Storage) -> None:
    first = bucket.write("x", b"first", if_generation=ABSENT)
    assert bucket.write("x", b"first", if_generation=ABSENT) == first, "it finds its own content"
    with pytest.raises(ObjectChanged, match=r"x in .* was changed by another process"):
        bucket.write("x", b"second", if_generation=ABSENT)
    second = bucket.write("x", b"second", if_generation=first)
    with pytest.raises(ObjectChanged):
        bucket.write("x", b"third", if_generation=first)
    assert bucket.read("x").data == b"second"
    third = bucket.write("x", b"third", if_generation=second)
    bucket.delete("x")
    with pytest.raises(ObjectChanged):
        bucket.write("x", b"fourth", if_generation=third)
    assert list(bucket.names()) == []


def race(storage: Storage, pool: Executor) -> None:
    """Two writers start from the same generation, time and again."""
    generation = storage.write("x", b"start")
    for round_ in range(10):
        writers: dict[bytes, Future[str]] = {
            data: pool.submit(storage.write, "x", data, if_generation=generation)
            for data in (f"{round_} one".encode(), f"{round_} two".encode())
        }
        [winner] = [data for data, future in writers.items() if future.exception() is None]
        [loss] = [error for future in writers.values() if (error := future.exception()) is not None]

        assert isinstance(loss, ObjectChanged)
        assert storage.read("x").data == winner
        generation = writers[winner].result()


def test_of_two_writers_at_once_exactly_one_wins(bucket: Storage) -> None:
    with ThreadPoolExecutor(2) as pool:
        race(bucket, pool)


def test_of_two_processes_that_write_at_once_exactly_one_wins(folder: FolderStorage) -> None:
    with ProcessPoolExecutor(2, SPAWN) as pool:
        race(folder, pool)


def test_a_reader_sees_whole_objects_while_another_process_overwrites_them(folder: FolderStorage) -> None:
    versions = [bytes([version]) * 1_000_000 for version in range(8)]
    folder.write("x", versions[0])
    seen = set()
    with ProcessPoolExecutor(1, SPAWN) as pool:
        writes = [pool.submit(folder.write, "x", data) for data in versions * 5]
        while not writes[-1].done():
            data = folder.read("x").data
            assert data in versions
            seen.add(data[0])
        for write in writes:
            write.result()
    assert len(seen) > 1, "nothing was overwritten while the reader looked"


def test_a_full_disk_leaves_the_old_object_whole_and_nothing_else(folder: FolderStorage) -> None:
    resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")
    folder.write("x", b"old")
    limit = (1_000_000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    with ProcessPoolExecutor(1, SPAWN, resource.setrlimit, (resource.RLIMIT_FSIZE, limit)) as pool:
        write = pool.submit(folder.write, "x", bytes(2_000_000))
        with pytest.raises(StorageUnavailable, match=r"Could not write .*x: File too large"):
            write.result()

    assert folder.read("x").data == b"old"
    assert files_in(folder) == {"x"}


def test_a_disk_that_fails_to_flush_leaves_the_old_object_whole_and_nothing_else(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write("x", b"old")

    def no_space(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(StorageUnavailable, match="No space left on device"):
        folder.write("x", b"new")

    assert folder.read("x").data == b"old"
    assert files_in(folder) == {"x"}


def test_every_new_folder_and_file_is_flushed_to_the_disk(
    folder: FolderStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: dict[int, int] = {}

    def note(file: int) -> None:
        found = os.fstat(file)
        flushed[found.st_ino] = found.st_size

    monkeypatch.setattr(os, "fsync", note)
    folder.write("a/b/x", b"content")

    root, file = folder.root, folder.root / "a" / "b" / "x"
    in_order = [root.parent, root, root / "a", file, root / "a" / "b"]
    assert list(flushed) == [path.stat().st_ino for path in in_order]
    assert flushed[file.stat().st_ino] == len(b"content")


def test_hidden_files_of_the_folder_are_not_listed(folder: FolderStorage) -> None:
    folder.write("a/x", b"1")
    (folder.root / "a" / ".0123.tmp").write_bytes(b"half an obj")
    (folder.root / ".git").mkdir()
    (folder.root / ".git" / "config").write_bytes(b"1")

    assert list(folder.names()) == ["a/x"]
    assert list(folder.names("a")) == ["a/x"]


def test_objects_with_invalid_names_are_not_listed(gcs_url: str) -> None:
    name, _, prefix = gcs_url.removeprefix("gs://").partition("/")
    gcs.Client().bucket(name).blob(f"{prefix}/.keep").upload_from_string(b"")
    bucket = open_storage(gcs_url)
    bucket.write("x", b"1")

    assert list(bucket.names()) == ["x"]


@each_verb
def test_a_folder_that_is_a_file_is_unavailable(verb: Callable[[Storage], object], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    with pytest.raises(
        StorageUnavailable, match=r"is a file; expected a folder|Could not \w+ .*: (File exi|Not a dir)"
    ):
        verb(FolderStorage(tmp_path / "file"))


def test_a_folder_that_the_system_refuses_is_unavailable(tmp_path: Path) -> None:
    folder = FolderStorage(tmp_path)
    name = "x" * 300
    with pytest.raises(StorageUnavailable, match=r"Could not read .*: File name too long"):
        folder.read(name)
    with pytest.raises(StorageUnavailable, match=r"Could not write .*: File name too long"):
        folder.write(name, b"1")
    with pytest.raises(StorageUnavailable, match=r"Could not list .*: File name too long"):
        list(folder.names(f"{name}/"))
    with pytest.raises(StorageUnavailable, match=r"Could not delete .*: File name too long"):
        folder.delete(name)


def test_a_folder_that_another_writer_holds_for_long_is_unavailable(tmp_path: Path) -> None:
    folder = FolderStorage(tmp_path, lock_timeout=0.1)
    folder.write("x", b"old")
    with ThreadPoolExecutor(1) as other, FileLock(tmp_path / ".lock"):
        with pytest.raises(StorageUnavailable, match=r"Could not write .*x: .* could not be acquired"):
            other.submit(folder.write, "x", b"new").result()
        with pytest.raises(StorageUnavailable, match=r"Could not delete .*x: .* could not be acquired"):
            other.submit(folder.delete, "x").result()
    assert folder.read("x").data == b"old"
    assert files_in(folder) == {"x"}


@each_verb
def test_a_bucket_that_does_not_exist_is_named(
    verb: Callable[[Storage], object], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    storage = GcsStorage("missing-objects", "prefix")
    with pytest.raises(StorageUnavailable, match=r"There is no bucket gs://missing-objects/prefix\. Create it or set"):
        verb(storage)


@each_verb
def test_a_bucket_that_does_not_respond_is_unavailable_in_time(
    verb: Callable[[Storage], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{free_port()}")
    storage = GcsStorage("bucket", request_timeout=1.0, retry_deadline=0.5)
    start = time.monotonic()
    with pytest.raises(StorageUnavailable, match=r"gs://bucket cannot be reached: .*[Cc]onnection refused"):
        verb(storage)
    assert time.monotonic() - start < 5


def test_a_bucket_without_credentials_says_how_to_log_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    with pytest.raises(StorageUnavailable, match=r"gs://bucket: permission denied .* Log in with `gcloud auth"):
        GcsStorage("bucket").read("x")


@each_verb
def test_a_bucket_that_forbids_access_says_so(
    verb: Callable[[Storage], object], emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(response: Response) -> Response:
        return response._replace(status=403, body=b"animals@example.com does not have storage.objects access")

    with Proxy(emulator.port, forbid) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        with pytest.raises(StorageUnavailable, match=r"permission denied .*403.* or give the service account access"):
            verb(GcsStorage("bucket"))


def test_a_write_whose_response_was_lost_has_succeeded(
    gcs_url: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses: list[int] = []

    def lose_the_first(response: Response) -> Response:
        statuses.append(response.status)
        return response._replace(status=503) if len(statuses) == 1 else response

    with Proxy(emulator.port, lose_the_first) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        bucket = open_storage(gcs_url)
        generation = bucket.write("x", b"1", if_generation=ABSENT)

        assert statuses == [200, 412, 200], "stored, refused, looked up"
        assert bucket.read("x").generation == generation


def test_damaged_data_is_an_error(gcs_url: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    open_storage(gcs_url).write("x", b"what was written")

    def damage(response: Response) -> Response:
        return response._replace(body=response.body.replace(b"was", b"is"))

    with Proxy(emulator.port, damage) as proxy:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
        with pytest.raises(StorageUnavailable, match="damaged data"):
            open_storage(gcs_url).read("x")


def test_a_url_names_a_folder_or_a_prefix_in_a_bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for url, type_, found in [
        ("data/bucket", FolderStorage, "data/bucket"),
        ("~/bucket", FolderStorage, str(tmp_path / "bucket")),
        ("gs://name", GcsStorage, "gs://name"),
        ("gs://name/", GcsStorage, "gs://name"),
        ("gs://name/some/prefix/", GcsStorage, "gs://name/some/prefix"),
    ]:
        storage = open_storage(url)
        assert isinstance(storage, type_)
        assert storage.url == found


@pytest.mark.parametrize("url", ["", "s3://x", "gs://", "gs:///x", "gs:/name", "file:///tmp", "gs://name/../x"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"neither a local folder nor of the form gs://|is not an object name"):
        open_storage(url)


def test_two_prefixes_of_one_bucket_do_not_see_each_other(gcs_url: str) -> None:
    one, two = open_storage(f"{gcs_url}/one"), open_storage(f"{gcs_url}/two")
    one.write("x", b"1")

    assert list(two.names()) == []
    assert list(open_storage(gcs_url).names()) == ["one/x"]
    with pytest.raises(NoSuchObject):
        two.read("x")


def test_an_unchanged_object_is_not_read_again(bucket: Storage) -> None:
    first = bucket.write("a", b"1")
    assert bucket.read_if_changed("a", None) == StoredObject(b"1", first)
    assert bucket.read_if_changed("a", first) is None
    second = bucket.write("a", b"2")
    assert bucket.read_if_changed("a", first) == StoredObject(b"2", second)
    with pytest.raises(NoSuchObject):
        bucket.read_if_changed("b", first)
