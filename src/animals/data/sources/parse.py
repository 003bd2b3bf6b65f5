"""What a person may name as the source of pictures."""

from pathlib import Path
from typing import Final

from animals.config.settings import read_settings
from animals.data.sample.make import make_sample
from animals.data.sources.archive import open_archive
from animals.data.sources.bucket import BucketSource
from animals.data.sources.feedback import bring_feedback
from animals.data.sources.import_pictures import Fetched, Source, fetch
from animals.data.sources.kaggle import download_animals10
from animals.errors import DataError

SAMPLE: Final = "sample"
KAGGLE: Final = "kaggle"
FEEDBACK: Final = "feedback"

SAMPLE_ROOT: Final = Path("data/sample")
PICTURES_ROOT: Final = Path("data/raw/raw-img")
FEEDBACK_ROOT: Final = Path("data/feedback")


def default_root(source: str) -> Path:
    """Where the pictures of a source go unless told otherwise; the experiments look there."""
    return {SAMPLE: SAMPLE_ROOT, FEEDBACK: FEEDBACK_ROOT}.get(source, PICTURES_ROOT)


def bring(source: str, root: Path, *, bucket: str | None = None) -> Fetched:
    """Bring the pictures that a person named into a folder of label folders.

    Args:
        source: `sample`, `kaggle`, `feedback`, a URL such as gs://name/raw/raw-img, a folder or an archive.
        root: gets the label folders.
        bucket: that holds the feedback; by default the one in the environment.

    Raises:
        DataError: there is no such source, or it cannot be used as it is.
        ModelError: there is feedback, but no model that tells what the folders are called.
        PicturesUnavailable: Kaggle is out of reach.
        StorageUnavailable: the bucket is out of reach, or the disk is full.
    """
    if source == FEEDBACK:
        return bring_feedback(bucket or read_settings().bucket, root)
    if source == SAMPLE:
        made = make_sample(root)
        return Fetched(new=made.made, kept=made.skipped, left_out=())
    return fetch(open_source(source, root), root)


def open_source(source: str, root: Path) -> Source:
    """The source of that name, for pictures that go to `root`.

    Raises:
        DataError: there is no such source, or `root` lies in it.
        PicturesUnavailable: Kaggle is out of reach.
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
        raise DataError(f"{root} lies in {source}, so that pictures would be copied into their own source.")
    return BucketSource(str(path))
