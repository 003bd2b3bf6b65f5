"""The Animals-10 photographs from Kaggle, by its own library."""

from pathlib import Path
from typing import Final

from animals.errors import PicturesUnavailable

DATA_SET: Final = "alessiocorrado99/animals10"


def download_animals10() -> Path:
    """Download and unpack Animals-10 into the library's cache, with its progress bar; 600 MB.

    A download that was cut off goes on where it was, and one that is there is not repeated.

    Returns:
        A folder in the cache, to be read only.

    Raises:
        PicturesUnavailable: there is no network, or Kaggle does not let us in.
    """
    import kagglehub  # here: it takes a second, and sets up its logging
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError
    from requests import RequestException

    try:
        return Path(kagglehub.dataset_download(DATA_SET))
    except (RequestException, UnauthenticatedError, DataCorruptionError, ValueError, OSError) as error:
        raise PicturesUnavailable(
            f"Kaggle's data set {DATA_SET} could not be downloaded: {' '.join(str(error).split()).rstrip('.')}. "
            "Where Kaggle asks who you are, make a token on kaggle.com/settings and set KAGGLE_API_TOKEN; or download "
            "the archive in a browser and name it: invoke data --source archive.zip"
        ) from error
