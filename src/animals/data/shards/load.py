"""Shards as the data set of a run: val and test are brought here once, the training pictures stay where they are."""

import shutil
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from filelock import FileLock

from animals.concurrency import progress_bar
from animals.config.training import DataConfig
from animals.data.cache import cached_pictures
from animals.data.decode import inspect_pictures
from animals.data.folders import Picture
from animals.data.load import DataSet
from animals.data.shards.index import ShardSet, read_shard_set
from animals.data.shards.stream import read_split
from animals.data.sources.label_folders import is_safe
from animals.data.split import ManifestRow, read_manifest, write_manifest
from animals.errors import AnimalsError, DataError, StorageUnavailable
from animals.preprocess import InputSpec

MANIFEST: Final = "manifest.csv"
PICTURES: Final = "pictures"


def load_shards(config: DataConfig, spec: InputSpec) -> DataSet:
    """Look into the index, and bring and decode the pictures of val and test.

    Raises:
        DataError: there are no shards at `data.root`, or they hold what cannot be used.
        PicturesUnavailable: a shard is missing or damaged.
        StorageUnavailable: the bucket is out of reach, or the disk is full or may not be written to.
    """
    shards = replace(read_shard_set(config.root), streams=config.streams, window=config.window)
    folder = _held_out(shards, Path(config.cache_dir))
    manifest, root = read_manifest(folder / MANIFEST), folder / PICTURES
    if config.cache:
        files = [_file(root, row) for row in manifest]
        pixels, inspections = cached_pictures(
            root, files, spec, cache_dir=Path(config.cache_dir), workers=config.workers
        )
    else:
        names = [row.name for row in manifest]
        pixels, inspections = None, inspect_pictures(root, names, spec, out=None, workers=config.workers)
    sizes = np.array([(it.width, it.height) for it in inspections], np.int64)
    return DataSet(
        root=root,
        spec=spec,
        labels=shards.labels,
        manifest=manifest,
        pixels=pixels,
        places=np.arange(len(manifest)),
        sizes=sizes,
        split_seed=shards.index.split_seed,
        shards=shards,
    )


def _file(root: Path, row: ManifestRow) -> Picture:
    stat = (root / row.name).stat()
    return Picture(row.name, row.label, stat.st_size, stat.st_mtime_ns)


def _held_out(shards: ShardSet, cache_dir: Path) -> Path:
    """The folder that has the pictures of val and test, and their manifest; it is filled first if it is not there."""
    folder = cache_dir / f"shards-{shards.identity}"
    temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _fill(temporary, shards)
                temporary.replace(folder)
    except AnimalsError:  # the bucket's own, some of which are OSErrors too
        raise
    except OSError as error:
        needed = sum(it.file.size for split in ("val", "test") for it in shards.of(split)) / 1e6
        raise StorageUnavailable(
            f"The pictures of val and test ({needed:.0f} MB) could not be kept in {cache_dir}: "
            f"{error.strerror or error}. Make room or choose another data.cache_dir."
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _fill(folder: Path, shards: ShardSet) -> None:
    rows = []
    with progress_bar() as progress:
        task = progress.add_task("Fetching val and test", total=shards.pictures("val") + shards.pictures("test"))
        for split in ("val", "test"):
            for picture in read_split(shards, split):
                if not is_safe(picture.name):
                    raise DataError(
                        f"A shard in {shards.url} holds {picture.name!r}, a name that leads out of its folder. "
                        "Nobody should train on these shards: write them again, from pictures that you trust."
                    )
                path = folder / PICTURES / picture.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture.data)
                rows.append(ManifestRow(picture.name, picture.label, split, picture.sha256))
                progress.advance(task)
    write_manifest(folder / MANIFEST, sorted(rows, key=lambda row: row.name))
