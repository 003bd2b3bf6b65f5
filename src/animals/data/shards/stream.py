"""Read pictures out of shards, one after the other."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Final

from animals.concurrency import in_threads
from animals.data.shards.index import Shard, ShardSet
from animals.data.shards.order import Segment, ShardOrder
from animals.errors import NoSuchObject, PicturesUnavailable
from animals.storage import Storage, open_storage

ABOUT: Final = "json"
"""Ending of the member that tells of a picture; the picture's own is its format."""


@dataclass(frozen=True, slots=True)
class ShardPicture:
    """A picture as it lies in a shard."""

    name: str
    """Path below the root of the folder that it came from."""
    label: str
    sha256: str
    """Of the file."""
    data: bytes
    """The file."""


def read_stream(
    shards: ShardSet, order: ShardOrder, epoch: int, stream: int, *, done: int = 0
) -> Iterator[ShardPicture]:
    """The training pictures of one stream, while the next shard is fetched.

    In memory are two shards and one window.

    Args:
        shards: where from.
        order: which, and when.
        epoch: of the order.
        stream: of the order.
        done: batches of the epoch that were seen before.

    Raises:
        PicturesUnavailable: a shard is missing or damaged.
        StorageUnavailable: the bucket is out of reach, also after retries.
    """
    number, passed = divmod(int(order.shares(stream)[:done].sum()), shards.window)
    pictures = read_segments(shards, "train", order.segments(epoch, stream, number * shards.window))
    while found := list(islice(pictures, shards.window)):
        places = order.shuffled(epoch, stream, number, len(found))
        yield from (found[place] for place in places[passed:])
        number, passed = number + 1, 0


def read_segments(shards: ShardSet, split: str, segments: Iterator[Segment]) -> Iterator[ShardPicture]:
    """The pictures of some segments, as they follow each other; errors as for `read_stream`."""
    files, storage = shards.of(split), open_storage(shards.url)
    fetched = in_threads(lambda segment: _fetch(storage, files[segment.shard]), segments, threads=1)
    for segment, data in fetched:
        shard = files[segment.shard]
        found = 0
        for picture in _unpack(shard, data, segment):
            found += 1
            yield picture
        if found < segment.stop - segment.first:
            raise PicturesUnavailable(
                f"{shard.name} in {storage.url} holds {segment.first + found} pictures, and {shard.pictures} in the "
                f"index. {_AGAIN}"
            )


def read_split(shards: ShardSet, split: str) -> Iterator[ShardPicture]:
    """All pictures of a split, as they were written; errors as for `read_stream`."""
    whole = (Segment(place, 0, shard.pictures) for place, shard in enumerate(shards.of(split)))
    return read_segments(shards, split, whole)


def _fetch(storage: Storage, shard: Shard) -> bytes:
    try:
        data = storage.read(shard.name).data
    except NoSuchObject as error:
        raise PicturesUnavailable(
            f"{shard.name} is missing in {storage.url}, though the index names it. {_AGAIN}"
        ) from error
    if hashlib.sha256(data).hexdigest() != shard.file.sha256:
        raise PicturesUnavailable(
            f"{shard.name} in {storage.url} is not what was written: its checksum differs from the index's. {_AGAIN}"
        )
    return data


_AGAIN: Final = "Delete it and the index, and write the shards again: invoke data --shards brings what is missing."


def _unpack(shard: Shard, data: bytes, segment: Segment) -> Iterator[ShardPicture]:
    from webdataset.tariterators import group_by_keys, tar_file_expander  # here: it imports torch

    files = tar_file_expander([{"url": shard.name, "stream": BytesIO(data)}])
    for sample in islice(group_by_keys(files), segment.first, segment.stop):
        about = json.loads(sample[ABOUT])
        [picture] = (content for ending, content in sample.items() if ending != ABOUT and not ending.startswith("__"))
        yield ShardPicture(about["name"], about["label"], about["sha256"], picture)


def pack(pictures: Sequence[ShardPicture]) -> bytes:
    """A shard: a tar file in webdataset's form, the same bytes for the same pictures."""
    from webdataset import TarWriter  # here: it imports torch

    file = BytesIO()
    with TarWriter(file, encoder=False, mtime=0) as writer:
        for place, picture in enumerate(pictures):
            about = {"name": picture.name, "label": picture.label, "sha256": picture.sha256}
            members = {_ending(picture.data): picture.data, ABOUT: json.dumps(about).encode()}
            writer.write({"__key__": f"{place:06}", **members})
    return file.getvalue()


def _ending(data: bytes) -> str:
    """The format by name, which tells other programs how to decode it: jpeg, png, webp, ..."""
    from PIL import Image

    with Image.open(BytesIO(data)) as image:
        return (image.format or "").lower()
