"""Which pictures are one and the same: as files, or to the eye.

Worker processes import this module, so it must stay quick to import. What the hash finds and what it does not:
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
"""Standard deviation, in grey levels, under which a picture shows too little to be told from others like it."""

_HASH_SIDE: Final = 16
_GREY_SIDE: Final = 4 * _HASH_SIDE  # what imagehash scales to; here in two steps, which takes a third of the time


def perceptual_hash(image: Image.Image) -> str:
    """A hash that differs in few bits between pictures that look alike, whatever their size and format.

    Args:
        image: of mode RGB and any size.

    Returns:
        `BITS` bits in hexadecimal; nothing for a plain picture, whose hash would be that of its noise.
    """
    grey = image.convert("L").resize((_GREY_SIDE, _GREY_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    if np.asarray(grey).std() < PLAIN:
        return ""
    return np.packbits(imagehash.phash(grey, _HASH_SIDE).hash).tobytes().hex()


def group_duplicates(files: Sequence[str], hashes: Sequence[str], *, distance: int) -> list[int]:
    """Put pictures that are the same, or the same as one of the group, into one group.

    Compares every picture with every other: about 5 s on one core and 12 MB for 50,000 pictures.

    Args:
        files: a hash of each picture's file.
        hashes: a perceptual hash of each picture; of a plain one nothing, so that only its file counts.
        distance: bits in which the perceptual hashes of two pictures may differ that are the same.

    Returns:
        For each picture the place of the first one of its group, which is its own place where it has no duplicate.
    """
    firsts: dict[str, int] = {}
    contents = (look or file for file, look in zip(files, hashes, strict=True))
    groups = [firsts.setdefault(content, place) for place, content in enumerate(contents)]
    heads = [place for place in firsts.values() if hashes[place]]
    near = _flood(_words([hashes[head] for head in heads]), distance)
    joined = {head: heads[first] for head, first in zip(heads, near, strict=True)}
    return [joined.get(group, group) for group in groups]


def _words(hashes: Sequence[str]) -> NDArray[np.uint64]:
    """Hexadecimal hashes as words of 64 bits, shape (words, hashes)."""
    table = np.frombuffer(bytes.fromhex("".join(hashes)), np.uint64).reshape(len(hashes), BITS // 64)
    return np.ascontiguousarray(table.T)


def _flood(words: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Group hashes: begin with one, take in all that are near it, all that are near those, and so on.

    Args:
        words: shape (words, hashes).
        distance: in bits.

    Returns:
        For each hash the place of its group's first one.
    """
    rest = np.arange(words.shape[1])
    groups = rest.copy()
    while rest.size:
        first, waiting = rest[0], [words[:, 0]]
        rest, words = rest[1:], words[:, 1:]
        while waiting:
            near = _near(words, waiting.pop(), distance)
            if near.size:
                groups[rest[near]] = first
                waiting.extend(words[:, near].T)
                rest, words = np.delete(rest, near), np.delete(words, near, axis=1)
    return groups


def _near(words: NDArray[np.uint64], word: NDArray[np.uint64], distance: int) -> NDArray[np.int64]:
    """Places of the hashes that differ in so many bits or fewer from one of shape (words,)."""
    # half of the bits is enough to rule out almost all
    differing = np.bitwise_count(words[0] ^ word[0])
    differing += np.bitwise_count(words[1] ^ word[1])
    maybe = np.flatnonzero(differing <= distance)
    near: NDArray[np.int64] = maybe[np.bitwise_count(words[:, maybe] ^ word[:, None]).sum(axis=0) <= distance]
    return near
