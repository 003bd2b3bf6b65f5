"""`invoke data --shards URL`: write a data set as shards, which `experiment=shards` trains on."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from animals.concurrency import in_threads, progress_bar
from animals.config.compose import compose_train_config
from animals.data.dataset import DataSet
from animals.data.load import load_data_set, spec_without_model
from animals.data.shards.index import INDEX, Shard, ShardIndex, parse_index
from animals.data.shards.stream import ShardPicture, pack
from animals.data.split import SPLITS, ManifestRow, manifest_sha256
from animals.data.statistics import pixel_statistics
from animals.errors import DataError, NoSuchObject, UsageError
from animals.preprocess import InputSpec
from animals.registry import describe
from animals.storage import ABSENT, Storage, open_storage

SHARD_BYTES: Final = 16_000_000
"""Large enough to hide a bucket's latency, small enough for several in the memory of a worker."""

THREADS: Final = 4
"""Shards that are packed and uploaded at once, all of them in memory."""

_NAME: Final = re.compile(r"(train|val|test)-\d{5,}-[0-9a-f]{8}\.tar")


def main(url: str, overrides: Sequence[str]) -> None:
    """Write the pictures that the configuration names as shards, and print the next command.

    Raises:
        DataError: the folder cannot be used.
        UsageError: there are other shards at the URL.
        StorageUnavailable: the bucket cannot be reached, or the disk is full.
    """
    config = compose_train_config(overrides)
    if config.data.shards:
        raise UsageError(f"{config.data.root} already holds shards. Copy them, or name a folder of pictures.")
    if config.data.extra:
        raise UsageError("Shards contain the pictures of data.root only. Leave data.extra empty.")
    storage = open_storage(url)
    data_set = load_data_set(config.data, spec_without_model(config.data))
    statistics = pixel_statistics(data_set, workers=config.data.workers)
    pixels = replace(data_set.spec, mean=statistics.mean, std=statistics.std)
    index = write_shards(data_set, storage, pixels=pixels, order_seed=config.seed)
    sys.stdout.write(
        f"{storage.url}: {sum(it.pictures for it in index.shards):,} pictures in {len(index.shards):,} shards, "
        f"{sum(it.file.size for it in index.shards) / 1e6:,.1f} MB.\n"
        f'Next: uv run invoke train --args "experiment=shards data.root={url}"\n'
    )


def write_shards(
    data_set: DataSet,
    storage: Storage,
    *,
    pixels: InputSpec,
    order_seed: int,
    shard_bytes: int = SHARD_BYTES,
) -> ShardIndex:
    """Write all pictures, then the index.

    The same pictures and settings give the same shards under the same names. After an interruption repeat the call: it
    does not upload existing shards again, and at the end deletes shards that another interrupted call left.

    Args:
        data_set: data set of a folder.
        storage: bucket for the shards.
        pixels: mean and std of the training pictures, and the size and cut they are for.
        order_seed: seed of the order of the training pictures.
        shard_bytes: see `ShardIndex`.

    Raises:
        UsageError: the bucket has shards of other pictures or settings, which a training may be reading.
        DataError: a file can no longer be read.
        ObjectChanged: another process wrote shards at the same time.
        StorageUnavailable: the bucket cannot be reached.
    """
    index = ShardIndex(
        labels={label: {split: data_set.label_counts(split)[label] for split in SPLITS} for label in data_set.labels},
        shards=(),
        pixels=pixels,
        manifest_sha256=manifest_sha256(data_set.manifest),
        split_seed=data_set.split_seed,
        order_seed=order_seed,
        shard_bytes=shard_bytes,
    )
    if existing := _existing_index(storage, index):
        return existing
    index = index.model_copy(update={"shards": tuple(_write_all(data_set, storage, index))})
    storage.write(INDEX, index.model_dump_json(indent=1).encode(), if_generation=ABSENT)
    listed = {shard.name for shard in index.shards}
    for name in [name for name in storage.names() if _NAME.fullmatch(name) and name not in listed]:
        storage.delete(name)
    return index


def _existing_index(storage: Storage, index: ShardIndex) -> ShardIndex | None:
    """Return the index in the bucket if there is one, of the same pictures and settings."""
    try:
        existing = parse_index(storage.read(INDEX).data, storage.url)
    except NoSuchObject:
        return None
    if existing.model_copy(update={"shards": ()}) != index:
        raise UsageError(
            f"{storage.url} has shards of other pictures or settings, which a training may be reading. Use another "
            f"URL, or delete {INDEX} there first."
        )
    return existing


@dataclass(frozen=True, slots=True)
class _Plan:
    """The pictures of one shard."""

    split: str
    number: int
    rows: list[ManifestRow]


def _write_all(data_set: DataSet, storage: Storage, index: ShardIndex) -> Iterator[Shard]:
    existing = dict(storage.sizes())

    def write(plan: _Plan) -> Shard:
        data = pack([_read(data_set.root, row) for row in plan.rows])
        file = describe(data)
        name = f"{plan.split}-{plan.number:05}-{file.sha256[:8]}.tar"
        if existing.get(name) != file.size:
            storage.write(name, data)
        return Shard(name=name, split=plan.split, pictures=len(plan.rows), file=file)

    with progress_bar() as progress:
        task = progress.add_task("Writing shards", total=len(data_set.manifest))
        for plan, shard in in_threads(write, _plans(data_set, index.order_seed, index.shard_bytes), threads=THREADS):
            progress.advance(task, len(plan.rows))
            yield shard


def _plans(data_set: DataSet, order_seed: int, shard_bytes: int) -> Iterator[_Plan]:
    """Divide each split into shards; training pictures in random order, so that each shard is a sample of them."""
    for split in SPLITS:
        rows = data_set.rows(split)
        if split == "train":
            rows = np.random.default_rng(order_seed).permutation(rows)
        in_shard: list[ManifestRow] = []
        number = shard_size = 0
        for row in (data_set.manifest[index] for index in rows):
            with _readable(data_set.root / row.name) as path:
                size = path.stat().st_size
            if in_shard and shard_size + size > shard_bytes:
                yield _Plan(split, number, in_shard)
                in_shard, number, shard_size = [], number + 1, 0
            in_shard.append(row)
            shard_size += size
        yield _Plan(split, number, in_shard)


def _read(root: Path, row: ManifestRow) -> ShardPicture:
    with _readable(root / row.name) as path:
        return ShardPicture(row.name, row.label, row.sha256, path.read_bytes())


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[Path]:
    try:
        yield path
    except OSError as error:
        raise DataError(f"{path} can no longer be read: {error.strerror}. Run the same command again.") from error
