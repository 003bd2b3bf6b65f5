"""A picture that comes with feedback keeps nothing but its pixels."""

from io import BytesIO

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import ExifTags, Image, ImageCms, PngImagePlugin

from animals.errors import NotAPicture, PictureTooLarge
from animals.prediction_records import picture_name
from animals.preprocess import FORMATS
from animals.serving.feedback_picture import MAX_SIDE, make_feedback_picture
from animals.serving.tokens import Tokens
from animals.storage import FolderStorage
from tests.support.feedback import PICTURE, TOKENS, base64_of, pictures, send_feedback, stored, token
from tests.support.metrics import samples, value
from tests.support.pictures import scene, turned
from tests.support.published import encode, plain

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
    result = kept(sent)
    assert dict(opened(result).getexif()) == {}
    assert opened(result).info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert not any(secret in result for secret in SECRETS)


def with_text(picture: Image.Image) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "someone was somewhere")
    return encode(picture, "PNG", pnginfo=text)


@pytest.mark.parametrize("sent", [with_text(scene(1)), encode(scene(1), "JPEG") + b"someone was somewhere"])
def test_text_in_a_file_and_behind_it_stays_behind(sent: bytes) -> None:
    assert not any(secret in kept(sent) for secret in SECRETS)


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_kept_as_a_jpeg_that_looks_the_same(kind: str) -> None:
    sent = scene(2)
    result = opened(kept(encode(sent, kind)))
    assert (result.format, result.mode, result.size) == ("JPEG", "RGB", sent.size)
    colours = 40 if kind == "GIF" else 12  # which has 256 of them
    assert np.abs(np.asarray(result, int) - np.asarray(sent, int)).mean() < colours


def test_a_picture_that_lies_is_kept_upright() -> None:
    picture = scene(3)
    result = opened(kept(encode(picture.transpose(Image.Transpose.ROTATE_90), "JPEG", exif=turned(6))))
    assert result.size == picture.size
    assert np.abs(np.asarray(result, int) - np.asarray(picture, int)).mean() < 12


@pytest.mark.parametrize(
    ("size", "expected"), [((3000, 2000), (1024, 683)), ((1500, 6000), (256, 1024)), ((1024, 10), (1024, 10))]
)
def test_a_large_picture_is_scaled_down(size: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = scene(4, size)
    result = opened(kept(encode(picture, "JPEG"), max_pixels=10_000_000))
    assert result.size == expected == (result.width, result.height)
    assert np.abs(np.asarray(result, int) - np.asarray(picture.resize(expected), int)).mean() < 12


def test_the_longest_side_is_never_over_the_limit() -> None:
    for width in (MAX_SIDE - 1, MAX_SIDE, MAX_SIDE + 1, 1777):
        assert max(opened(kept(encode(Image.new("RGB", (width, 9)), "PNG"))).size) == min(width, MAX_SIDE)
    assert opened(kept(encode(Image.new("RGB", (9000, 1)), "PNG"))).size == (1024, 1)


def test_the_same_limits_hold_as_for_classifying() -> None:
    with pytest.raises(PictureTooLarge, match="the limit is 10,000"):
        kept(encode(Image.new("RGB", (101, 100)), "PNG"), max_pixels=10_000)
    with pytest.raises(NotAPicture):
        kept(encode(scene(1), "JPEG")[:500])


def test_a_token_carries_the_digest_and_no_picture() -> None:
    signed = Tokens("key").sign("r1", "cat", {"cat": 1.0}, picture=bytes(1_000_000))
    assert len(signed) < 300
    assert len(Tokens("key").read(signed).picture or "") == 43


def test_a_picture_is_kept_only_if_it_is_sent(client: TestClient, folder: FolderStorage) -> None:
    prediction_id = token(PICTURE)
    assert send_feedback(client, "red", prediction_id).json()["picture"] is False
    assert pictures(folder) == []
    assert send_feedback(client, "red", prediction_id, picture=base64_of(PICTURE)).json()["picture"] is True
    assert value(samples(client.get("/metrics").text), "animals_feedback_total", label="red", right="true") == 1
    [record] = stored(folder).values()
    assert record.picture == picture_name(record.answered, record.id, record.time)
    assert pictures(folder) == [record.picture]
    with Image.open(BytesIO(folder.read(record.picture).data)) as kept:
        assert (kept.format, kept.size) == ("JPEG", (30, 20))


@pytest.mark.parametrize(("path", "field"), [("/classify/", "file"), ("/classify/batch", "files")])
def test_the_picture_that_was_classified_can_be_kept(
    client: TestClient, folder: FolderStorage, path: str, field: str
) -> None:
    response = client.post(path, files={field: ("red.jpg", PICTURE)}).json()
    prediction_id = (response[0] if isinstance(response, list) else response)["prediction_id"]
    refused = send_feedback(client, "red", prediction_id, picture=base64_of(plain("blue")))
    assert (refused.status_code, pictures(folder)) == (422, [])
    assert send_feedback(client, "red", prediction_id, picture=base64_of(PICTURE)).json()["picture"] is True
    assert len(pictures(folder)) == 1


@pytest.mark.parametrize("deleted", [False, True], ids=["stored", "deleted already"])
def test_later_feedback_without_the_picture_deletes_it(
    client: TestClient, folder: FolderStorage, deleted: bool
) -> None:
    prediction_id = token(PICTURE)
    send_feedback(client, "red", prediction_id, picture=base64_of(PICTURE))
    if deleted:
        folder.delete(pictures(folder)[0])
    assert send_feedback(client, "red", prediction_id).json()["picture"] is False
    [record] = stored(folder).values()
    assert (record.picture, pictures(folder)) == (None, [])


@pytest.mark.parametrize(
    ("signed", "sent", "status", "message"),
    [
        (PICTURE, base64_of(plain("blue")), 422, "This is not the picture that was classified"),
        (PICTURE, base64_of(PICTURE)[:-3], 422, 'The field "picture" is not base64'),
        (PICTURE, "é", 422, 'The field "picture" is not base64'),
        (PICTURE, "", 422, "This is not the picture that was classified"),
        (None, base64_of(PICTURE), 422, "not made from a picture's file"),
        (b"no picture", base64_of(b"no picture"), 415, "This is no picture"),
        (plain("red", (200, 200)), base64_of(plain("red", (200, 200))), 413, "the limit is 10,000"),
    ],
)
def test_another_picture_is_refused_and_nothing_is_stored(
    client: TestClient, folder: FolderStorage, signed: bytes | None, sent: str, status: int, message: str
) -> None:
    refused = send_feedback(client, "red", token(signed), picture=sent)
    assert refused.status_code == status
    assert message in refused.json()["detail"]
    assert (stored(folder), pictures(folder)) == ({}, [])
