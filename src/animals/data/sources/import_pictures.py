"""Import pictures from any source that a user or a configuration may name."""

import re
from pathlib import Path
from typing import Final

from filelock import FileLock

from animals.config.settings import BucketSettings, read_settings
from animals.data.sample.make import make_sample
from animals.data.sources.archive import open_archive
from animals.data.sources.bucket import BucketSource
from animals.data.sources.feedback import import_feedback
from animals.data.sources.folder import ImportResult, Source, copy_pictures
from animals.data.sources.kaggle import download_animals10
from animals.errors import DataError

SAMPLE: Final = "sample"
KAGGLE: Final = "kaggle"
FEEDBACK: Final = "feedback"

SAMPLE_ROOT: Final = Path("data/sample")
PICTURES_ROOT: Final = Path("data/raw/raw-img")
FEEDBACK_ROOT: Final = Path("data/feedback")

DOWNLOADS: Final = "fetched"
"""Folder in the cache with a folder for each URL."""


def default_root(source: str) -> Path:
    """Return the folder for the pictures of a source, where the experiments expect them."""
    return {SAMPLE: SAMPLE_ROOT, FEEDBACK: FEEDBACK_ROOT}.get(source, PICTURES_ROOT)


def import_pictures(source: str, root: Path, *, bucket: str | None = None) -> ImportResult:
    """Import pictures into a folder of label folders.

    Args:
        source: `sample`, `kaggle`, `feedback`, a URL such as gs://name/raw/raw-img, a folder or an archive.
        root: folder for the label folders.
        bucket: bucket with the feedback; by default the one in the environment.

    Raises:
        DataError: the source does not exist or cannot be used.
        ModelError: no published model says what the folders of the feedback are called.
        PicturesUnavailable: Kaggle cannot be reached.
        StorageUnavailable: the bucket cannot be reached, or the disk is full.
    """
    if source == FEEDBACK:
        return import_feedback(bucket or read_settings(BucketSettings).bucket, root)
    if bucket:
        raise DataError(f"The bucket {bucket} is only for the source {FEEDBACK}, not for {source}. Leave it out.")
    if source == SAMPLE:
        result = make_sample(root)
        return ImportResult(new=result.made, existing=result.skipped)
    return copy_pictures(open_source(source, root), root)


def open_source(source: str, root: Path) -> Source:
    """Return the source of that name, for pictures that are copied to `root`.

    Raises:
        DataError: the source does not exist, or `root` is inside it.
        PicturesUnavailable: Kaggle cannot be reached.
    """
    if source == KAGGLE:
        return BucketSource(str(download_animals10()))
    if "://" in source:
        return BucketSource(source)
    path = Path(source).expanduser()
    if path.is_file():
        return open_archive(path)
    if not path.is_dir():
        raise DataError(
            f"There is no source {source}. Expected {SAMPLE}, {KAGGLE}, {FEEDBACK}, a URL such as "
            "gs://name/raw/raw-img, a folder, or a zip or tar file."
        )
    if path.resolve() in root.resolve().parents:
        raise DataError(f"{root} is inside the source {source}. Choose a folder outside of it with --root.")
    return BucketSource(str(path))


def ensure_local(location: str, cache_dir: Path) -> Path:
    """Return a local folder of label folders; import the pictures first if the location is a URL.

    Several processes may call this at once; one of them imports. Existing pictures are not copied again.

    Args:
        location: a folder, gs://name/prefix, or gs://name/prefix/feedback for the feedback in gs://name/prefix.
        cache_dir: folder for the copies.

    Raises:
        DataError: the URL has no pictures in label folders.
        ModelError: no published model says what the folders of the feedback are called.
        StorageUnavailable: the bucket cannot be reached, or the disk is full or not writable.
    """
    if "://" not in location:
        return Path(location)
    url = location.rstrip("/")
    root = cache_dir / DOWNLOADS / re.sub(r"[^\w.-]+", "_", url.partition("://")[2])
    root.parent.mkdir(parents=True, exist_ok=True)
    bucket = url.removesuffix(f"/{FEEDBACK}")
    with FileLock(root.with_name(f".{root.name}.lock")):
        if bucket != url:
            import_pictures(FEEDBACK, root, bucket=bucket)
        else:
            import_pictures(url, root)
    return root
