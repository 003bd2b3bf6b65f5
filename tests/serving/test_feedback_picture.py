"""A picture that comes with feedback keeps nothing but its pixels."""

from io import BytesIO

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from animals.errors import NotAPicture, PictureTooLarge
from animals.preprocess import FORMATS
from animals.serving.feedback_picture import MAX_SIDE, make_feedback_picture
from animals.serving.tokens import Tokens
from tests.support.feedback import TOKENS, base64_of, token
from tests.support.pictures import scene, turned
from tests.support.published import encode

SECRETS = (b"Exif", b"GPS", b"somewhere", b"someone", b"ICC_PROFILE", b"http://ns.adobe.com", b"Photoshop")


def kept(data: bytes, max_pixels: int = 1_000_000) -> bytes:
    return make_feedback_picture(TOKENS.read(token(data)), base64_of(data), max_pixels)


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def with_metadata(picture: Image.Image) -> bytes:
    """A JPEG with place, time, author, colour profile and comment."""
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "someone"
    exif[ExifTags.Base.DateTime] = "2026:11:24 12:00:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {ExifTags.GPS.GPSLatitudeRef: "N", ExifTags.GPS.GPSLatitude: (55.0, 47.0, 12.5)}
    )
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">somewhere</x:xmpmeta>'
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return encode(picture, "JPEG", exif=exif, comment=b"someone was somewhere", xmp=xmp, icc_profile=profile)


def test_where_by_whom_and_how_a_picture_was_taken_stays_behind() -> None:
    sent = with_metadata(scene(1))
    assert opened(sent).getexif().get_ifd(ExifTags.IFD.GPSInfo)
    assert opened(sent).info.keys() >= {"comment", "exif", "icc_profile", "xmp"}
    stored = kept(sent)
    assert dict(opened(stored).getexif()) == {}
    assert opened(stored).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not any(secret in stored for secret in SECRETS)


def test_text_in_a_png_stays_behind() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "someone was somewhere")
    stored = kept(encode(scene(1), "PNG", pnginfo=text))
    assert not any(secret in stored for secret in SECRETS)


def test_what_hangs_behind_the_picture_stays_behind() -> None:
    assert b"someone" not in kept(encode(scene(1), "JPEG") + b"someone was somewhere")


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_kept_as_a_jpeg_that_looks_the_same(kind: str) -> None:
    sent = scene(2)
    stored = opened(kept(encode(sent, kind)))
    assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", sent.size)
    colours = 40 if kind == "GIF" else 12  # which has 256 of them
    assert np.abs(np.asarray(stored, int) - np.asarray(sent, int)).mean() < colours


def test_a_picture_that_lies_is_kept_upright() -> None:
    picture = scene(3)
    stored = opened(kept(encode(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned(6))))
    assert stored.size == picture.size
    assert np.abs(np.asarray(stored, int) - np.asarray(picture, int)).mean() < 12


@pytest.mark.parametrize(
    ("size", "expected"), [((3000, 2000), (1024, 683)), ((1500, 6000), (256, 1024)), ((1024, 10), (1024, 10))]
)
def test_a_large_picture_is_scaled_down(size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = scene(4, size)
    stored = opened(kept(encode(picture, "JPEG"), max_pixels=10_000_000))
    assert stored.size == expected == (stored.width, stored.height)
    assert np.abs(np.asarray(stored, int) - np.asarray(picture.resize(expected), int)).mean() < 12


def test_a_line_keeps_a_pixel_of_its_short_side() -> None:
    assert opened(kept(encode(Image.new("RGB", (9000, 1)), "PNG"))).size == (1024, 1)


def test_the_longest_side_is_never_over_the_limit() -> None:
    for width in (MAX_SIDE - 1, MAX_SIDE, MAX_SIDE + 1, 1777):
        assert max(opened(kept(encode(Image.new("RGB", (width, 9)), "PNG"))).size) == min(width, MAX_SIDE)


def test_the_same_limits_hold_as_for_classifying() -> None:
    with pytest.raises(PictureTooLarge, match="up to 10,000 in all"):
        kept(encode(Image.new("RGB", (101, 100)), "PNG"), max_pixels=10_000)
    with pytest.raises(NotAPicture):
        kept(encode(scene(1), "JPEG")[:500])


def test_a_token_carries_the_digest_and_no_picture() -> None:
    signed = Tokens("key").sign("r1", "cat", {"cat": 1.0}, picture=bytes(1_000_000))
    assert len(signed) < 300
    assert len(Tokens("key").read(signed).picture or "") == 43
