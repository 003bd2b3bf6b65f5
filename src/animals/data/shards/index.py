"""The index of a set of shards: everything that a training needs before it reads the first picture.

```
<url>/
    train-00000-<hash>.tar      original files in random order; never changed
    val-00000-<hash>.tar test-00000-<hash>.tar
    index.json                  written last: shards that it does not list are ignored
```
"""

import hashlib
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from animals.data.split import ManifestRow
from animals.errors import DataError, NoSuchObject
from animals.preprocess import InputSpec
from animals.records import FileInfo, Record, explain
from animals.storage import open_storage

INDEX: Final = "index.json"


class Shard(Record):
    """One tar file of pictures."""

    name: str
    split: Literal["train", "val", "test"]
    pictures: Annotated[int, Field(gt=0)]
    file: FileInfo


class ShardIndex(Record):
    """Content of `index.json`."""

    format: Literal[1] = 1
    labels: dict[str, dict[str, int]]
    """Label -> split -> number of pictures."""
    shards: tuple[Shard, ...]
    pixels: InputSpec
    """Mean and std of the training pictures, and the size and cut for which they were computed."""
    manifest_sha256: str
    """Hash of the manifest of all pictures in all splits."""
    split_seed: int
    order_seed: int
    """Seed of the order in which the training pictures were written."""
    shard_bytes: int
    """Largest size of the pictures in a shard with more than one picture."""


@dataclass(frozen=True, slots=True)
class ShardSet:
    """Shards in a bucket."""

    url: str
    """URL of `open_storage`."""
    index: ShardIndex
    streams: int = 16
    """See `ShardOrder`."""
    window: int = 256
    """Pictures of each stream that are shuffled together."""

    @property
    def labels(self) -> tuple[str, ...]:
        """In the order of a model's outputs."""
        return tuple(sorted(self.index.labels))

    def of(self, split: str) -> list[Shard]:
        """Return the shards of a split, in the order of the index."""
        return [shard for shard in self.index.shards if shard.split == split]

    def pictures(self, split: str) -> int:
        """Return the number of pictures in a split."""
        return sum(shard.pictures for shard in self.of(split))

    @property
    def train_rows(self) -> list[ManifestRow]:
        """Rows for the training pictures in a run's manifest: one for each shard."""
        return [ManifestRow(it.name, "", "train", it.file.sha256) for it in self.of("train")]

    @property
    def identity(self) -> str:
        """Hash that is equal for equal shards in any bucket."""
        return hashlib.sha256(self.index.model_dump_json().encode()).hexdigest()[:16]


def read_shard_set(url: str) -> ShardSet:
    """Return the shards at a URL.

    Raises:
        ConfigError: the URL is neither a folder nor of the form gs://name/prefix.
        DataError: there are no shards, or this version cannot read them.
        StorageUnavailable: the bucket cannot be reached.
    """
    try:
        return ShardSet(url, parse_index(open_storage(url).read(INDEX).data, url))
    except NoSuchObject as error:
        raise DataError(
            f"{url} has no shards: {INDEX} is missing. Write them (again, if that was interrupted) with: "
            f'invoke data --shards {url} --args "experiment=folder data.root=path/to/pictures"'
        ) from error


def parse_index(data: bytes, url: str) -> ShardIndex:
    """Return the content of an index.

    Raises:
        DataError: this version cannot read it.
    """
    try:
        return ShardIndex.model_validate_json(data)
    except ValidationError as error:
        raise DataError(
            f"{INDEX} in {url} cannot be read by this version of animals: {explain(error)}. Write the shards again, "
            "to another URL."
        ) from error
