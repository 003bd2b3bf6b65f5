"""The Animals-10 photographs from Kaggle, with its own library."""

from pathlib import Path
from typing import Final

from animals.errors import PicturesUnavailable

DATA_SET: Final = "alessiocorrado99/animals10"


def download_animals10() -> Path:
    """Download and unpack Animals-10 into the library's cache, with its progress bar; 600 MB.

    An interrupted download is resumed, and a complete one is not repeated.

    Returns:
        The folder in the cache. Do not change it.

    Raises:
        PicturesUnavailable: there is no network, or Kaggle denies access.
    """
    import kagglehub  # here: the import takes a second and sets up logging
    from kagglehub.exceptions import DataCorruptionError, UnauthenticatedError
    from requests import RequestException

    try:
        return Path(kagglehub.dataset_download(DATA_SET))
    except (RequestException, UnauthenticatedError, DataCorruptionError, ValueError, OSError) as error:
        raise PicturesUnavailable(
            f"Kaggle's data set {DATA_SET} could not be downloaded: {' '.join(str(error).split()).rstrip('.')}. "
            "If Kaggle asks for a login, create a token on kaggle.com/settings and set KAGGLE_API_TOKEN. Or download "
            "the archive in a browser and use it: invoke data --source archive.zip"
        ) from error
