"""Find duplicates: pictures whose files are equal, or that look alike.

Worker processes import this module, so it must stay quick to import. What the hash finds and what not:
docs/design/duplicates.md.
"""

from collections.abc import Sequence
from typing import Final

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS: Final = 256
"""Length of a perceptual hash."""

PLAIN: Final = 2.0
"""Standard deviation in grey levels below which a picture is plain, and its hash would be that of its noise."""

_HASH_SIDE: Final = 16
_GREY_SIDE: Final = 4 * _HASH_SIDE  # what imagehash scales to; here in two steps, which takes a third of the time


def perceptual_hash(image: Image.Image) -> str:
    """Return a hash that differs in few bits between pictures that look alike, whatever their size and format.

    Args:
        image: of mode RGB and any size.

    Returns:
        `BITS` bits in hexadecimal; empty for a plain picture.
    """
    grey = image.convert("L").resize((_GREY_SIDE, _GREY_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if np.asarray(grey).std() < PLAIN:
        return ""
    return np.packbits(imagehash.phash(grey, _HASH_SIDE).hash).tobytes().hex()


def group_duplicates(files: Sequence[str], hashes: Sequence[str], *, distance: int) -> list[int]:
    """Group duplicates: a picture belongs to a group if it is a duplicate of any of its members.

    Compares all pairs: about 5 s on one core and 12 MB for 50,000 pictures.

    Args:
        files: hash of each file.
        hashes: perceptual hash of each picture; empty for a plain one, for which only the file counts.
        distance: bits in which the perceptual hashes of duplicates may differ.

    Returns:
        For each picture the index of the first one of its group: its own index if it has no duplicate.
    """
    firsts: dict[str, int] = {}
    contents = (picture or file for file, picture in zip(files, hashes, strict=True))
    groups = [firsts.setdefault(content, index) for index, content in enumerate(contents)]
    heads = [index for index in firsts.values() if hashes[index]]
    nearest = _flood(_words([hashes[head] for head in heads]), distance)
    joined = {head: heads[first] for head, first in zip(heads, nearest, strict=True)}
    return [joined.get(group, group) for group in groups]


def _words(hashes: Sequence[str]) -> NDArray[np.uint64]:
    """Return hexadecimal hashes as words of 64 bits, shape (words, hashes)."""
    table = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(len(hashes), BITS // 64)
    return np.ascontiguousarray(table.T)


def _flood(words: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Group hashes: take one, all that are near it, all that are near those, and so on.

    Args:
        words: shape (words, hashes).
        distance: in bits.

    Returns:
        For each hash the index of the first one of its group.
    """
    rest = np.arange(words.shape[1])
    groups = rest.copy()
    while rest.size:
        first, queue = rest[0], [words[:, 0]]
        rest, words = rest[1:], words[:, 1:]
        while queue:
            near = _near(words, queue.pop(), distance)
            if near.size:
                groups[rest[near]] = first
                queue.extend(words[:, near].T)
                rest, words = np.delete(rest, near), np.delete(words, near, axis=1)
    return groups


def _near(words: NDArray[np.uint64], word: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Return the indices of the hashes that differ in at most `distance` bits from one of shape (words,)."""
    # half of the bits rules out almost all
    differing = np.bitwise_count(words[0] ^ word[0])
    differing += np.bitwise_count(words[1] ^ word[1])
    maybe = np.flatnonzero(differing <= distance)
    near: NDArray[np.int64] = maybe[np.bitwise_count(words[:, maybe] ^ word[:, None]).sum(axis=0) <= distance]
    return near
