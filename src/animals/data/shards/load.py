"""Load shards as the data set of a run: copy val and test to the cache, leave the training pictures in the bucket."""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from animals.concurrency import progress_bar
from animals.config.data import DataConfig
from animals.data.cache import load_pictures, make_once
from animals.data.dataset import DataSet
from animals.data.folders import read_picture
from animals.data.shards.index import ShardSet, read_shard_set
from animals.data.shards.stream import read_split
from animals.data.sources.label_folders import is_safe
from animals.data.split import ManifestRow, read_manifest, write_manifest
from animals.errors import AnimalsError, DataError, StorageUnavailable
from animals.preprocess import InputSpec

MANIFEST: Final = "manifest.csv"
PICTURES: Final = "pictures"


def load_shards(config: DataConfig, spec: InputSpec) -> DataSet:
    """Read the index of shards, and copy and decode the pictures of val and test.

    Raises:
        DataError: there are no shards at `data.root`, or they cannot be used.
        PicturesUnavailable: a shard is missing or damaged.
        StorageUnavailable: the bucket cannot be reached, or the disk is full or not writable.
    """
    shards = replace(read_shard_set(config.root), streams=config.streams, window=config.window)
    folder = _copy_held_out(shards, Path(config.cache_dir))
    manifest, root = read_manifest(folder / MANIFEST), folder / PICTURES
    files = [read_picture(root, root / row.name, row.label) for row in manifest]
    pixels, inspections = load_pictures(root, files, spec, config)
    return DataSet(
        root=root,
        spec=spec,
        labels=shards.labels,
        manifest=manifest,
        pixels=pixels,
        pixel_rows=np.arange(len(manifest)),
        sizes=np.array([(it.width, it.height) for it in inspections], np.int64),
        split_seed=shards.index.split_seed,
        shards=shards,
    )


def _copy_held_out(shards: ShardSet, cache_dir: Path) -> Path:
    """Return the folder of the pictures of val and test and their manifest, after filling it if it does not exist."""
    folder = cache_dir / f"shards-{shards.identity}"
    try:
        make_once(folder, lambda temporary: _copy(temporary, shards))
    except AnimalsError:  # an error of the bucket, which may be an OSError too
        raise
    except OSError as error:
        needed = sum(it.file.size for split in ("val", "test") for it in shards.of(split)) / 1e6
        raise StorageUnavailable(
            f"The pictures of val and test ({needed:.0f} MB) could not be stored in {cache_dir}: "
            f"{error.strerror or error}. Free some space or set another data.cache_dir."
        ) from error
    return folder


def _copy(folder: Path, shards: ShardSet) -> None:
    rows = []
    with progress_bar() as progress:
        task = progress.add_task("Copying val and test", total=shards.pictures("val") + shards.pictures("test"))
        for split in ("val", "test"):
            for picture in read_split(shards, split):
                if not is_safe(picture.name):
                    raise DataError(
                        f"A shard in {shards.url} contains {picture.name!r}, a name that leads out of its folder. "
                        "Do not train on these shards; write them again, from pictures that you trust."
                    )
                path = folder / PICTURES / picture.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture.data)
                rows.append(ManifestRow(picture.name, picture.label, split, picture.sha256))
                progress.advance(task)
    write_manifest(folder / MANIFEST, sorted(rows, key=lambda row: row.name))
