"""Pictures that a run finds in a bucket: brought to this machine before they are looked at.

A URL in `data.root` or `data.extra` is enough to train on another machine, or to examine there what was trained here.
"""

import re
from pathlib import Path
from typing import Final

from filelock import FileLock

from animals.data.sources.parse import FEEDBACK, bring

FETCHED: Final = "fetched"
"""Folder in the cache, with a folder for each URL."""


def at_hand(place: str, cache_dir: Path) -> Path:
    """A folder of label folders: the one named, or the one that the pictures of a URL are brought to now.

    Several processes may ask at once. What was brought before is not brought again.

    Args:
        place: a folder, gs://name/prefix, or gs://name/prefix/feedback.
        cache_dir: gets the pictures.

    Raises:
        DataError: the URL has no pictures in label folders.
        ModelError: it is feedback, but no model tells what the folders are called.
        StorageUnavailable: the bucket cannot be reached, or the disk is full or may not be written to.
    """
    if "://" not in place:
        return Path(place)
    url = place.rstrip("/")
    root = cache_dir / FETCHED / re.sub(r"[^\w.-]+", "_", url.partition("://")[2])
    root.parent.mkdir(parents=True, exist_ok=True)
    bucket = url.removesuffix(f"/{FEEDBACK}")
    with FileLock(root.with_name(f".{root.name}.lock")):
        if bucket != url:
            bring(FEEDBACK, root, bucket=bucket)
        else:
            bring(url, root)
    return root
