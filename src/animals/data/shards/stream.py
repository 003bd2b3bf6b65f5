"""Read pictures from shards one after the other, and pack pictures into a shard."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Final

from PIL import Image

from animals.concurrency import in_threads
from animals.data.shards.index import Shard, ShardSet
from animals.data.shards.order import Segment, ShardOrder
from animals.errors import NoSuchObject, PicturesUnavailable
from animals.storage import Storage, open_storage

METADATA: Final = "json"
"""Extension of the member with the metadata of a picture; that of the picture is its format."""

_REPAIR: Final = "Delete it and the index, and write the shards again: invoke data --shards writes what is missing."


@dataclass(frozen=True, slots=True)
class ShardPicture:
    """A picture in a shard."""

    name: str
    """Path relative to the root of its data set."""
    label: str
    sha256: str
    """Hash of the file."""
    data: bytes
    """Content of the file."""


def read_stream(
    shards: ShardSet, order: ShardOrder, epoch: int, stream: int, *, done: int = 0
) -> Iterator[ShardPicture]:
    """Yield the training pictures of one stream in an epoch, without its first `done` batches.

    The next shard is downloaded meanwhile: two shards and one window are in memory.

    Raises:
        PicturesUnavailable: a shard is missing or damaged.
        StorageUnavailable: the bucket cannot be reached after retries.
    """
    number, skip = divmod(int(order.shares(stream)[:done].sum()), shards.window)
    pictures = read_segments(shards, "train", order.segments(epoch, stream, number * shards.window))
    while window := list(islice(pictures, shards.window)):
        indices = order.shuffled(epoch, stream, number, len(window))
        yield from (window[index] for index in indices[skip:])
        number, skip = number + 1, 0


def read_segments(shards: ShardSet, split: str, segments: Iterator[Segment]) -> Iterator[ShardPicture]:
    """Yield the pictures of some segments in their order; errors as for `read_stream`."""
    files, storage = shards.of(split), open_storage(shards.url)
    downloads = in_threads(lambda segment: _download(storage, files[segment.shard]), segments, threads=1)
    for segment, data in downloads:
        shard = files[segment.shard]
        count = 0
        for picture in _unpack(shard, data, segment):
            count += 1
            yield picture
        if count < segment.stop - segment.first:
            raise PicturesUnavailable(
                f"{shard.name} in {storage.url} has {segment.first + count} pictures; the index says {shard.pictures}. "
                f"{_REPAIR}"
            )


def read_split(shards: ShardSet, split: str) -> Iterator[ShardPicture]:
    """Yield all pictures of a split in the order in which they were written; errors as for `read_stream`."""
    whole = (Segment(index, 0, shard.pictures) for index, shard in enumerate(shards.of(split)))
    return read_segments(shards, split, whole)


def _download(storage: Storage, shard: Shard) -> bytes:
    try:
        data = storage.read(shard.name).data
    except NoSuchObject as error:
        raise PicturesUnavailable(
            f"{shard.name} is missing in {storage.url}, but the index lists it. {_REPAIR}"
        ) from error
    if hashlib.sha256(data).hexdigest() != shard.file.sha256:
        raise PicturesUnavailable(
            f"{shard.name} in {storage.url} is damaged: its checksum differs from the index's. {_REPAIR}"
        )
    return data


def _unpack(shard: Shard, data: bytes, segment: Segment) -> Iterator[ShardPicture]:
    from webdataset.tariterators import group_by_keys, tar_file_expander  # here: webdataset imports torch

    files = tar_file_expander([{"url": shard.name, "stream": BytesIO(data)}])
    for sample in islice(group_by_keys(files), segment.first, segment.stop):
        metadata = json.loads(sample[METADATA])
        [data] = (data for suffix, data in sample.items() if suffix != METADATA and not suffix.startswith("__"))
        yield ShardPicture(metadata["name"], metadata["label"], metadata["sha256"], data)


def pack(pictures: Sequence[ShardPicture]) -> bytes:
    """Return a shard: a tar file in webdataset's format, with the same bytes for the same pictures."""
    from webdataset import TarWriter  # here: webdataset imports torch

    file = BytesIO()
    with TarWriter(file, encoder=False, mtime=0) as writer:
        for index, picture in enumerate(pictures):
            metadata = {"name": picture.name, "label": picture.label, "sha256": picture.sha256}
            members = {_format(picture.data): picture.data, METADATA: json.dumps(metadata).encode()}
            writer.write({"__key__": f"{index:06}", **members})
    return file.getvalue()


def _format(data: bytes) -> str:
    """Return the format's name, by which other programs choose a decoder: jpeg, png, webp, ..."""
    with Image.open(BytesIO(data)) as image:
        return (image.format or "").lower()
