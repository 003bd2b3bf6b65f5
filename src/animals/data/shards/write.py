"""`animals data --shards URL [OVERRIDE]...`: write a data set as shards, which `data=shards` then trains on."""

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from animals.concurrency import in_threads, progress_bar
from animals.config.compose import compose_train_config
from animals.data.load import DataSet, load_data_set, spec_without_model
from animals.data.shards.index import INDEX, Shard, ShardIndex, parse_index
from animals.data.shards.stream import ShardPicture, pack
from animals.data.split import SPLITS, ManifestRow, write_manifest
from animals.data.statistics import pixel_statistics
from animals.errors import DataError, NoSuchObject, UsageError
from animals.preprocess import InputSpec
from animals.registry import describe
from animals.storage import ABSENT, Storage, open_storage

SHARD_BYTES: Final = 16_000_000
"""Large enough that a bucket's latency does not count, small enough that a worker keeps several in memory."""

THREADS: Final = 4
"""Shards that are packed and sent at once, each of which is in memory."""

_NAME: Final = re.compile(r"(train|val|test)-\d{5,}-[0-9a-f]{8}\.tar")


def main(url: str, overrides: Sequence[str]) -> None:
    """Write the pictures that the configuration names, and say what to do with them.

    Raises:
        DataError: the folder cannot be used as it is.
        UsageError: there are other shards at the URL.
        StorageUnavailable: the bucket is out of reach, or the disk is full.
    """
    config = compose_train_config(overrides)
    if config.data.shards:
        raise UsageError(
            f"{config.data.root} holds shards already. Copy them as they are, or name a folder of pictures."
        )
    if config.data.extra:
        raise UsageError("Shards hold the pictures of data.root alone: give no data.extra.")
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

    The same pictures and settings give the same shards of the same names. A call that was cut off is repeated: shards
    that are there are not sent again, and what another call left unfinished is deleted once the index is there.

    Args:
        data_set: from a folder.
        storage: where to.
        pixels: mean and std of the training pictures, and where they hold.
        order_seed: of the order of the training pictures.
        shard_bytes: see `ShardIndex`.

    Raises:
        UsageError: there are shards of other pictures or settings; a training may be reading them.
        DataError: a file cannot be read any more.
        ObjectChanged: somebody else wrote shards there at the same time.
        StorageUnavailable: the bucket is out of reach.
    """
    index = ShardIndex(
        labels={label: {split: data_set.label_counts(split)[label] for split in SPLITS} for label in data_set.labels},
        shards=(),
        pixels=pixels,
        manifest_sha256=_manifest_sha256(data_set),
        split_seed=data_set.split_seed,
        order_seed=order_seed,
        shard_bytes=shard_bytes,
    )
    if found := _finished(storage, index):
        return found
    index = index.model_copy(update={"shards": tuple(_write_all(data_set, storage, index))})
    storage.write(INDEX, index.model_dump_json(indent=1).encode(), if_generation=ABSENT)
    named = {shard.name for shard in index.shards}
    for name in [name for name in storage.names() if _NAME.fullmatch(name) and name not in named]:
        storage.delete(name)
    return index


def _manifest_sha256(data_set: DataSet) -> str:
    with TemporaryDirectory() as folder:
        return write_manifest(Path(folder) / "manifest.csv", data_set.manifest)


def _finished(storage: Storage, index: ShardIndex) -> ShardIndex | None:
    """The index that is there, if it is of the same pictures and settings."""
    try:
        found = parse_index(storage.read(INDEX).data, storage.url)
    except NoSuchObject:
        return None
    if found.model_copy(update={"shards": ()}) != index:
        raise UsageError(
            f"{storage.url} holds shards of other pictures or settings, which a training may be reading. Name another "
            f"place, or delete {INDEX} there first."
        )
    return found


@dataclass(frozen=True, slots=True)
class _Plan:
    """Pictures that go into one shard."""

    split: str
    number: int
    rows: list[ManifestRow]


def _write_all(data_set: DataSet, storage: Storage, index: ShardIndex) -> Iterator[Shard]:
    there = dict(storage.sizes())

    def write(plan: _Plan) -> Shard:
        data = pack([_read(data_set.root, row) for row in plan.rows])
        file = describe(data)
        name = f"{plan.split}-{plan.number:05}-{file.sha256[:8]}.tar"
        if there.get(name) != file.size:
            storage.write(name, data)
        return Shard(name=name, split=plan.split, pictures=len(plan.rows), file=file)

    with progress_bar() as progress:
        task = progress.add_task("Writing shards", total=len(data_set.manifest))
        for plan, shard in in_threads(write, _plans(data_set, index), threads=THREADS):
            progress.advance(task, len(plan.rows))
            yield shard


def _plans(data_set: DataSet, index: ShardIndex) -> Iterator[_Plan]:
    """Share out each split: the training pictures in chance's order, so that each shard is a fair sample of them."""
    for split in SPLITS:
        rows = data_set.rows(split)
        if split == "train":
            rows = np.random.default_rng(index.order_seed).permutation(rows)
        filled: list[ManifestRow] = []
        number = size = 0
        for row in (data_set.manifest[place] for place in rows):
            more = _size(data_set.root / row.name)
            if filled and size + more > index.shard_bytes:
                yield _Plan(split, number, filled)
                filled, number, size = [], number + 1, 0
            filled.append(row)
            size += more
        yield _Plan(split, number, filled)


def _size(path: Path) -> int:
    with _readable(path):
        return path.stat().st_size


def _read(root: Path, row: ManifestRow) -> ShardPicture:
    with _readable(root / row.name):
        return ShardPicture(row.name, row.label, row.sha256, (root / row.name).read_bytes())


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"{path} cannot be read any more: {error.strerror}. Run the same command again.") from error
