import functools
import random
import struct
import warnings
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from animals.errors import ConfigError, NotAPicture, PictureError, PictureTooLarge
from animals.preprocess import (
    FORMATS,
    LARGE,
    InputSpec,
    decode_picture,
    normalize,
    open_picture,
    preprocess,
    read_pixels,
    to_pixels,
)
from tests.support.pictures import scene, turned

SPEC = InputSpec(side=2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.5))

Pixels = NDArray[np.uint8]


def encoded(image: Image.Image, format_: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, format_, **options)
    return file.getvalue()


def noise(width: int = 60, height: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def opened(data: bytes) -> list[list[Any]]:
    """The pixels of a picture, row by row."""
    rows: list[list[Any]] = np.asarray(open_picture(data)).tolist()
    return rows


def a_multi_picture_file() -> bytes:
    return encoded(noise(), "MPO", save_all=True, append_images=[noise().rotate(90)])


PICTURES: dict[str, bytes] = {format_: encoded(noise(), format_) for format_ in FORMATS} | {
    "MPO": a_multi_picture_file(),
    "TIFF-LZW": encoded(noise(), "TIFF", compression="tiff_lzw"),
    "TIFF-JPEG": encoded(noise(), "TIFF", compression="jpeg"),
}
each_format = pytest.mark.parametrize("data", PICTURES.values(), ids=PICTURES.keys())
quiet_decoders = pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF data")


@each_format
def test_a_picture_of_each_format_is_opened(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(data)

    image = open_picture(data)

    assert (image.mode, image.size) == ("RGB", (60, 40))
    assert np.array_equal(np.asarray(open_picture(tmp_path / "picture")), np.asarray(image))


@pytest.mark.parametrize("format_", ["PNG", "BMP", "TIFF"])
def test_a_lossless_picture_keeps_every_pixel(format_: str) -> None:
    assert np.array_equal(np.asarray(open_picture(PICTURES[format_])), np.asarray(noise()))


def a_palette() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 210, 220])
    image.putpixel((1, 0), 1)
    return image


WHITE, BLACK = [255, 255, 255], [0, 0, 0]
MODES: dict[str, tuple[bytes, list[list[int]]]] = {
    "1": (encoded(Image.fromarray(np.array([[True, False]]))), [WHITE, BLACK]),
    "L": (encoded(Image.fromarray(np.array([[7, 200]], np.uint8))), [[7, 7, 7], [200, 200, 200]]),
    "LA": (encoded(Image.merge("LA", [Image.new("L", (2, 1), 7), Image.new("L", (2, 1), 255)])), [[7, 7, 7]] * 2),
    "P": (encoded(a_palette()), [[10, 20, 30], [200, 210, 220]]),
    "RGB": (encoded(Image.new("RGB", (2, 1), (1, 2, 3))), [[1, 2, 3]] * 2),
    "RGBA": (encoded(Image.new("RGBA", (2, 1), (1, 2, 3, 255))), [[1, 2, 3]] * 2),
    "CMYK": (encoded(Image.new("CMYK", (2, 1), (0, 255, 0, 0)), "TIFF"), [[255, 0, 255]] * 2),
    "I;16": (encoded(Image.fromarray(np.array([[0, 65535]], np.uint16))), [BLACK, WHITE]),
    "I;16B": (encoded(Image.new("I;16B", (2, 1), 257), "TIFF"), [[1, 1, 1]] * 2),
    "I": (encoded(Image.fromarray(np.array([[-5, 70000]], np.int32)), "TIFF"), [BLACK, WHITE]),
    "F": (encoded(Image.fromarray(np.array([[7, 300]], np.float32)), "TIFF"), [[7, 7, 7], WHITE]),
}


@pytest.mark.parametrize("mode", MODES)
def test_a_picture_of_any_mode_becomes_rgb(mode: str) -> None:
    data, expected = MODES[mode]
    with Image.open(BytesIO(data)) as image:
        assert image.mode == mode
    assert opened(data) == [expected]


def test_sixteen_bit_greys_are_scaled_not_clipped() -> None:
    greys = np.array([[0, 256, 257, 514, 32896, 65535]], np.uint16)
    assert [pixel[0] for pixel in opened(encoded(Image.fromarray(greys)))[0]] == [0, 0, 1, 2, 128, 255]


@pytest.mark.parametrize(
    "data",
    [
        encoded(Image.new("RGBA", (1, 1), (200, 0, 0, 0))),
        encoded(Image.new("LA", (1, 1), (0, 0))),
        encoded(a_palette().crop((0, 0, 1, 1)), transparency=0),
        encoded(a_palette().crop((0, 0, 1, 1)), "GIF", transparency=0),
        encoded(Image.new("L", (1, 1), 9), transparency=9),
        encoded(Image.new("RGB", (1, 1), (9, 8, 7)), transparency=(9, 8, 7)),
    ],
    ids=["RGBA", "LA", "P", "GIF", "L", "RGB"],
)
def test_what_is_transparent_is_white(data: bytes) -> None:
    assert opened(data) == [[WHITE]]


def test_what_is_half_transparent_is_half_white() -> None:
    assert opened(encoded(Image.new("RGBA", (1, 1), (0, 100, 200, 51)))) == [[[204, 224, 244]]]


def test_of_an_animation_the_first_frame_counts() -> None:
    red, blue = Image.new("RGB", (1, 1), "red"), Image.new("RGB", (1, 1), "blue")
    for format_ in ("GIF", "WEBP", "TIFF"):
        assert opened(encoded(red, format_, save_all=True, append_images=[blue], lossless=True)) == [[[255, 0, 0]]]


UPRIGHT = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
HOW_A_CAMERA_STORES: dict[int, Callable[[Pixels], Pixels]] = {
    1: lambda upright: upright,
    2: np.fliplr,
    3: lambda upright: np.rot90(upright, 2),
    4: np.flipud,
    5: lambda upright: upright.T,
    6: lambda upright: np.rot90(upright, 1),
    7: lambda upright: np.rot90(upright.T, 2),
    8: lambda upright: np.rot90(upright, 3),
    9: lambda upright: upright,
}


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("value", HOW_A_CAMERA_STORES)
def test_a_picture_is_turned_upright(value: int, format_: str) -> None:
    stored = Image.fromarray(np.ascontiguousarray(HOW_A_CAMERA_STORES[value](UPRIGHT)))
    options = {"lossless": True} if format_ == "WEBP" else {}

    data = encoded(stored.convert("RGB"), format_, exif=orientation(value), **options)

    assert np.array_equal(np.asarray(open_picture(data))[..., 0], UPRIGHT)


def test_photos_and_deep_grey_pictures_are_turned_upright() -> None:
    assert open_picture(encoded(Image.new("RGB", (30, 20)), "JPEG", exif=orientation(6))).size == (20, 30)
    lying = encoded(Image.fromarray(np.array([[0, 257]], np.uint16)), exif=orientation(6))
    assert opened(lying) == [[[0, 0, 0]], [[1, 1, 1]]]


@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0MM\0*", b"no exif at all", orientation(6).tobytes()[:-8], bytes(50)],
    ids=["empty", "cut in the head", "other", "cut", "zeros"],
)
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
@quiet_decoders
def test_a_picture_whose_exif_is_broken_stays_as_it_is(exif: bytes, format_: str) -> None:
    assert open_picture(encoded(noise(), format_, exif=exif)).size == (60, 40)


def test_a_picture_with_an_odd_exif_tag_is_turned_upright() -> None:
    entries = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack(">HHII", 0x9000, 12, 1, 0)  # a version, as double
    exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entries + bytes(4)

    assert open_picture(encoded(noise(), "JPEG", exif=exif)).size == (40, 60)


@each_format
@quiet_decoders
def test_a_picture_that_ends_too_early_is_refused(data: bytes) -> None:
    for part in (0.2, 0.45):  # within the first picture of a file that has two
        with pytest.raises(NotAPicture):
            open_picture(data[: int(len(data) * part)])


@pytest.mark.parametrize(
    "data",
    [b"", b"just text", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", encoded(noise(), "PPM")],
    ids=["nothing", "text", "SVG", "PDF", "a format that is not read"],
)
def test_what_is_no_picture_is_refused_with_what_was_expected(data: bytes) -> None:
    with pytest.raises(NotAPicture, match="expected one of JPEG, PNG, WEBP, GIF, BMP, TIFF") as caught:
        open_picture(data)
    assert isinstance(caught.value.__cause__, UnidentifiedImageError)


def test_a_damaged_picture_is_named_with_its_format() -> None:
    with pytest.raises(NotAPicture, match="The JPEG picture is damaged or ends too early: image file is truncated"):
        open_picture(PICTURES["JPEG"][:1000])


def test_a_file_that_is_not_there_is_no_bad_picture(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_picture(tmp_path / "missing.jpg")
    with pytest.raises(IsADirectoryError):
        open_picture(tmp_path)


def test_a_picture_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    data = encoded(Image.new("RGB", (10, 7)))
    assert open_picture(data, max_pixels=70).size == (10, 7)
    with pytest.raises(PictureTooLarge, match="10x7 pixels; the limit is 69"):
        open_picture(data, max_pixels=69)


def a_png_that_claims(width: int, height: int) -> bytes:
    """A PNG without pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [7_100, 30_000], ids=["over our limit", "over Pillow's limit"])
def test_a_picture_that_is_too_large_is_refused_before_any_pixel_is_decoded(side: int) -> None:
    # with a pixel decoded it would be NotAPicture, for it has none
    with pytest.raises(PictureTooLarge, match=r"limit is 50,000,000"):
        open_picture(a_png_that_claims(side, side))


@each_format
def test_a_damaged_picture_gives_a_picture_or_a_picture_error(data: bytes) -> None:
    chance = random.Random(0)  # noqa: S311 - the same damage each time
    refused = 0
    for _ in range(200):
        damaged = bytearray(data)
        for _ in range(chance.choice([1, 2, 20])):
            # most of a file is pixels, and most decisions are taken from its beginning
            damaged[chance.randrange(chance.choice([100, len(data)]))] = chance.randrange(256)
        with warnings.catch_warnings(action="ignore"):
            try:
                assert open_picture(bytes(damaged)).mode == "RGB"
            except PictureError:
                refused += 1
    assert refused > 0


def stripes() -> Image.Image:
    """8x4 pixels; each column has its own grey: 0, 30, 60 and so on to 210."""
    return Image.fromarray(np.array([range(0, 240, 30)] * 4, np.uint8)).convert("RGB")


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_squash_keeps_everything(interpolation: Any) -> None:
    spec = InputSpec(side=4, mean=SPEC.mean, std=SPEC.std, resize="squash", interpolation=interpolation)

    pixels = to_pixels(stripes(), spec)

    reference = stripes().resize((4, 4), getattr(Image.Resampling, interpolation.upper()))
    assert np.array_equal(pixels, np.asarray(reference))
    assert pixels[0, 0, 0] < 30
    assert pixels[0, 3, 0] > 180


@pytest.mark.parametrize(
    ("crop_pct", "side", "expected"), [(1.0, 4, [60, 90, 120, 150]), (0.5, 2, [90, 120]), (1.0, 1, [105])]
)
def test_center_keeps_the_middle_square(crop_pct: float, side: int, expected: list[int]) -> None:
    spec = InputSpec(side=side, mean=SPEC.mean, std=SPEC.std, crop_pct=crop_pct, interpolation="bilinear")

    wide = to_pixels(stripes(), spec)
    tall = to_pixels(stripes().transpose(Image.Transpose.TRANSPOSE), spec)

    assert wide[..., 0].tolist() == [expected] * side
    assert np.array_equal(tall, wide.transpose(1, 0, 2))


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (500, 1), (2, 3)])
@pytest.mark.parametrize("resize", ["squash", "center"])
def test_a_picture_of_any_shape_fits(size: tuple[int, int], resize: Any) -> None:
    spec = InputSpec(side=7, mean=SPEC.mean, std=SPEC.std, resize=resize, crop_pct=0.875)
    assert np.unique(preprocess(Image.new("RGB", size, (255, 255, 255)), spec)).size == 3


def test_pixels_can_be_written_to() -> None:
    pixels = to_pixels(noise(), SPEC)
    assert pixels.shape == (2, 2, 3)
    assert pixels.dtype == np.uint8
    pixels[:] = 0


def test_normalizing_follows_the_formula() -> None:
    pixels = np.asarray(noise())

    values = normalize(pixels, SPEC)

    expected = (pixels.astype(np.float64) / 255 - SPEC.mean) / SPEC.std
    assert values.shape == (3, 40, 60)
    assert np.abs(values - expected.transpose(2, 0, 1)).max() < 1e-6


def test_a_batch_is_normalized_like_each_of_its_pictures() -> None:
    batch = np.stack([np.asarray(noise()), 255 - np.asarray(noise())])

    values = normalize(batch, SPEC)

    assert values.shape == (2, 3, 40, 60)
    assert np.array_equal(values, np.stack([normalize(pixels, SPEC) for pixels in batch]))


def test_the_models_input_is_contiguous_float32_with_channels_first() -> None:
    values = preprocess(Image.new("RGB", (9, 5), (255, 0, 51)), SPEC)

    assert values.shape == (3, 2, 2)
    assert values.dtype == np.float32
    assert values.flags.c_contiguous
    assert values[:, 0, 0] == pytest.approx([(1 - 0.5) / 0.2, (0 - 0.4) / 0.25, (0.2 - 0.3) / 0.5], abs=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [{"side": 0}, {"crop_pct": 0}, {"crop_pct": 1.01}, {"std": (0.2, 0.0, 0.2)}, {"std": (0.2, -1.0, 0.2)}],
)
def test_an_impossible_input_is_refused(wrong: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"side": 2, "mean": SPEC.mean, "std": SPEC.std}
    with pytest.raises(ConfigError, match="expected side >= 1, 0 < crop_pct <= 1, std > 0"):
        InputSpec(**settings | wrong)


@functools.cache
def photo(width: int, height: int) -> Image.Image:
    """A picture with details of every size, down to noise."""
    grain = np.random.default_rng(1).normal(0, 8, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(scene(1, (width, height))) + grain, 0, 255).astype(np.uint8))


def specs(resize: Any, side: int = 64, crop_pct: float = 1.0) -> InputSpec:
    return InputSpec(side=side, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize=resize, crop_pct=crop_pct)


def difference(data: bytes, spec: InputSpec) -> NDArray[np.int64]:
    """Grey levels between a picture prepared from the reduced and from the whole picture."""
    whole = to_pixels(open_picture(data), spec).astype(int)
    return np.asarray(np.abs(read_pixels(data, spec).astype(int) - whole))


@pytest.mark.parametrize("resize", ["squash", "center"])
@pytest.mark.parametrize("size", [(LARGE, LARGE), (LARGE, 300), (300, LARGE), (60, 40)])
def test_up_to_the_limit_every_pixel_is_that_of_the_whole_picture(size: tuple[int, int], resize: Any) -> None:
    assert not difference(encoded(photo(*size), "JPEG"), specs(resize, side=32)).any()


# sizes that are no multiple of eight: at an eighth of its scale such a picture ends within the last pixel
@pytest.mark.parametrize("resize", ["squash", "center"])
@pytest.mark.parametrize("size", [(2400, 1801), (LARGE + 1, 771), (775, LARGE + 1)])
def test_a_large_photo_is_prepared_within_two_grey_levels(size: tuple[int, int], resize: Any) -> None:
    differences = difference(encoded(photo(*size), "JPEG", quality=90), specs(resize))
    assert differences.max() <= 2
    assert 0 < differences.mean() < 0.4


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {"progressive": True}),
        ("RGB", {"subsampling": 0}),
        ("RGB", {"restart_marker_rows": 1}),
        ("L", {}),
        ("CMYK", {}),
    ],
)
def test_a_large_jpeg_of_any_kind_is_prepared_within_two_grey_levels(mode: str, options: dict[str, Any]) -> None:
    data = encoded(photo(1307, 1001).convert(mode), "JPEG", quality=90, **options)
    assert difference(data, specs("center")).max() <= 2


def test_even_noise_is_prepared_within_ten_grey_levels() -> None:
    differences = difference(encoded(noise(1801, 1207), "JPEG", quality=90), specs("center", side=224))
    assert differences.max() <= 10
    assert differences.mean() < 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_photo_is_turned_upright_and_keeps_its_place(orientation: int) -> None:
    data = encoded(photo(1307, 1001), "JPEG", quality=90, exif=turned(orientation))
    assert difference(data, specs("squash")).max() <= 2
    assert decode_picture(data, spec=specs("squash")).size == open_picture(data).size


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (specs("squash", side=64), (500, 375)),  # an eighth, the least there is
        (specs("squash", side=187), (500, 375)),  # 2 x 187 of a height of 375
        (specs("squash", side=188), (1000, 750)),
        (specs("center", side=187, crop_pct=0.5), (1000, 750)),  # of a height of 750 a half is kept
        (specs("center", side=188, crop_pct=0.5), (2000, 1500)),
        (specs("center", side=750), (2000, 1500)),
        (specs("center", side=751), (4000, 3000)),
    ],
)
def test_twice_the_pixels_that_are_wanted_are_left(spec: InputSpec, expected: tuple[int, int]) -> None:
    picture = decode_picture(encoded(Image.new("RGB", (4000, 3000)), "JPEG"), spec=spec)
    assert picture.image.size == expected
    assert picture.size == (4000, 3000)
    kept = min(picture.image.size) * spec.crop_pct
    assert kept >= 2 * spec.side or picture.image.size == (4000, 3000)


@pytest.mark.parametrize("format_", ["PNG", "WEBP", "BMP"])
def test_other_formats_have_no_reduced_scale(format_: str) -> None:
    data = encoded(photo(1100, 700), format_)
    assert decode_picture(data, spec=specs("squash")).image.size == (1100, 700)
    assert not difference(data, specs("squash")).any()


def test_the_limit_of_pixels_is_that_of_the_whole_picture() -> None:
    data = encoded(Image.new("RGB", (2000, 1000)), "JPEG")
    with pytest.raises(PictureTooLarge, match="2000x1000"):
        read_pixels(data, specs("squash"), max_pixels=1_999_999)
    assert read_pixels(data, specs("squash"), max_pixels=2_000_000).shape == (64, 64, 3)


def test_a_large_jpeg_that_ends_too_early_is_refused_at_reduced_scale_too() -> None:
    data = encoded(photo(1307, 1001), "JPEG", quality=90)
    with pytest.raises(NotAPicture, match="ends too early"):
        read_pixels(data[: len(data) // 2], specs("squash"))
