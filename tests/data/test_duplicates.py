"""Copies of a picture are found however they were changed on the way, and nothing else is."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from animals.config.data import DataConfig
from animals.data.duplicates import BITS, group_duplicates, perceptual_hash
from tests.support.pictures import scene

DISTANCE = DataConfig().duplicate_distance


def jpeg(image: Image.Image) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def distance(one: Image.Image, other: Image.Image) -> int:
    return (int(perceptual_hash(one), 16) ^ int(perceptual_hash(other), 16)).bit_count()


def grouped(hashes: list[str], distance: int = DISTANCE) -> list[int]:
    """Groups of pictures whose files all differ."""
    files = [f"file {number}" for number in range(len(hashes))]
    return group_duplicates(files, hashes, distance=distance)


def with_bits(*bits: int) -> str:
    return f"{sum(1 << bit for bit in bits):064x}"


@pytest.mark.parametrize(
    "change",
    [
        jpeg,
        lambda it: it.resize((it.width // 2, it.height // 2)),
        lambda it: it.resize((it.width * 5, it.height * 5)),
        lambda it: ImageEnhance.Brightness(it).enhance(1.1),
        lambda it: ImageEnhance.Color(it).enhance(0.0),
        lambda it: it.crop((round(it.width * 0.02), round(it.height * 0.02), it.width, it.height)),
    ],
    ids=["recompressed", "half", "enlarged", "brightened", "grey", "cropped"],
)
def test_changed_copies_are_found(change: Callable[[Image.Image], Image.Image]) -> None:
    assert max(distance(scene(seed), change(scene(seed))) for seed in range(20)) <= DISTANCE


def test_other_pictures_are_not_found() -> None:
    hashes = [perceptual_hash(scene(seed)) for seed in range(200)]
    assert grouped(hashes) == list(range(200))


def test_a_hash_is_as_long_as_it_should_be() -> None:
    assert len(perceptual_hash(scene(1))) == BITS // 4


def test_plain_pictures_have_no_hash_and_count_by_their_files() -> None:
    black, white, noisy = (
        Image.new("RGB", (50, 40), "black"),
        Image.new("RGB", (50, 40), "white"),
        Image.fromarray(np.random.default_rng(0).integers(99, 102, (40, 50, 3), np.uint8)),
    )
    assert [perceptual_hash(it) for it in (black, white, noisy)] == ["", "", ""]
    assert group_duplicates(["a", "b", "a", "c"], ["", "", "", ""], distance=DISTANCE) == [0, 1, 0, 3]


def test_a_group_is_named_by_its_first_picture() -> None:
    assert grouped([with_bits(1), with_bits(*range(200)), with_bits(2), with_bits(*range(201))]) == [0, 1, 0, 1]


def test_pictures_that_are_each_near_the_next_are_one_group() -> None:
    steps = [with_bits(*range(length)) for length in (0, 40, 80, 120)]
    assert grouped(steps) == [0, 0, 0, 0]
    assert grouped([steps[3], steps[0], steps[2], steps[1]]) == [0, 0, 0, 0]
    assert grouped([steps[0], steps[2]]) == [0, 1]


def test_the_distance_is_the_last_that_counts() -> None:
    pair = [with_bits(), with_bits(*range(0, BITS, 8))]  # 32 bits, in all words
    assert grouped(pair, distance=32) == [0, 0]
    assert grouped(pair, distance=31) == [0, 1]
    assert grouped([pair[0], pair[0]], distance=0) == [0, 0]


@pytest.mark.parametrize("word", range(4))
def test_bits_of_every_word_count(word: int) -> None:
    pair = [with_bits(), with_bits(*range(64 * word, 64 * word + 51))]
    assert grouped(pair) == [0, 1]


def test_no_pictures_are_no_groups() -> None:
    assert grouped([]) == []
    assert grouped([""]) == [0]


def test_groups_are_those_of_comparing_all_with_all() -> None:
    rng = np.random.default_rng(0)
    originals = rng.integers(0, 2, (60, BITS), np.uint8)
    copies = [bits ^ (rng.random(BITS) < share) for bits in originals for share in (0, 0.05, 0.15, 0.25)]
    bits = np.array(copies, np.uint8)[rng.permutation(len(copies))]
    hashes = [np.packbits(row).tobytes().hex() for row in bits]
    assert grouped(hashes) == all_with_all(bits)


def all_with_all(bits: NDArray[np.uint8]) -> list[int]:
    near = (bits[:, None] != bits[None]).sum(axis=2) <= DISTANCE
    groups = np.arange(len(bits))
    for _ in groups:  # spread the smallest number until nothing changes
        groups = np.where(near, groups[None], len(bits)).min(axis=1)
    return [int(group) for group in groups]


def test_thousands_of_copies_take_no_longer_than_as_many_pictures() -> None:
    assert grouped([with_bits(n % 30, 100 + n % 7) for n in range(5000)]) == [0] * 5000
