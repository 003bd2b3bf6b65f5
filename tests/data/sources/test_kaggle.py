"""Animals-10 from Kaggle; only Kaggle's own library is replaced, at its edge."""

from pathlib import Path

import kagglehub
import pytest
import requests
from kagglehub.exceptions import DataCorruptionError, KaggleApiHTTPError, UnauthenticatedError

from animals.animals10 import ANIMALS10_FOLDERS
from animals.data.sources.import_pictures import import_pictures
from animals.data.sources.kaggle import download_animals10
from animals.errors import PicturesUnavailable


def test_the_photographs_come_from_the_library_s_cache_without_what_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "versions" / "2"
    for folder in ANIMALS10_FOLDERS:
        (cache / "raw-img" / folder).mkdir(parents=True)
        (cache / "raw-img" / folder / "OIP-1.jpeg").write_bytes(folder.encode())
    (cache / "translate.py").write_bytes(b"1")

    def download(handle: str) -> str:
        assert handle == "alessiocorrado99/animals10"
        return str(cache)

    monkeypatch.setattr(kagglehub, "dataset_download", download)
    result = import_pictures("kaggle", tmp_path / "root")

    assert (result.new, result.existing, result.left_out) == (10, 0, ("translate.py",))
    contents = {path.parent.name: path.read_bytes().decode() for path in (tmp_path / "root").glob("*/OIP-1.jpeg")}
    assert contents == {folder: folder for folder in ANIMALS10_FOLDERS}


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("no route\n to host"),
        KaggleApiHTTPError("403 Client Error.\n\nYou don't have permission", requests.Response()),
        UnauthenticatedError(),
        DataCorruptionError("The X-Goog-Hash header"),
        ValueError("Invalid Kaggle credentials file"),
        OSError("No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_whatever_kaggle_refuses_the_message_says_what_to_do(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: str) -> str:
        raise error

    monkeypatch.setattr(kagglehub, "dataset_download", refuse)
    with pytest.raises(PicturesUnavailable, match=r"could not be .* set KAGGLE_API_TOKEN\. Or .* invoke data"):
        download_animals10()
