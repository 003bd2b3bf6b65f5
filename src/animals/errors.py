"""Errors that this package raises on purpose: each is caught somewhere, or maps to a status or an exit code.

A message says what happened, what was expected and what to do. Errors of other libraries become one of these where
they enter the package, so that no module further up imports, for example, google's exceptions.
"""

from typing import ClassVar


class AnimalsError(Exception):
    """Base of every error raised on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(AnimalsError):
    """A request by the caller that is impossible."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError, ValueError):
    """A setting that is misspelt, impossible or missing."""


class DataError(UsageError):
    """A folder or archive of pictures that cannot be used as it is."""


class PictureError(AnimalsError, ValueError):
    """A picture that cannot be used."""


class NotAPicture(PictureError):
    """Bytes that no decoder reads, or that end too early."""


class PictureTooLarge(PictureError):
    """A picture with more bytes or pixels than allowed."""


class StorageError(AnimalsError):
    """Base of the errors of a bucket."""


class NoSuchObject(StorageError, FileNotFoundError):
    """A name that no object in the bucket has."""


class ObjectChanged(StorageError):
    """An object that another process wrote since it was read."""


class StorageUnavailable(StorageError, ConnectionError):
    """A bucket that cannot be reached, or that denies permission."""


class ModelError(AnimalsError):
    """Base of the errors of a published model."""


class NoModel(ModelError):
    """A version that is not published; or no version is."""


class BrokenModel(ModelError):
    """A published version that cannot be served."""


class PicturesUnavailable(AnimalsError):
    """Pictures that cannot be downloaded from their source."""


class Interrupted(AnimalsError):
    """A run that a signal ended and that can be continued."""

    exit_code = 130


class PromotionRefused(AnimalsError):
    """A version that is worse than the served one, or that cannot be compared with it."""


class BrokenRecords(AnimalsError):
    """Compacted records or a stored report that cannot be read."""


class NothingToReport(AnimalsError):
    """A period without predictions and feedback."""


class Busy(AnimalsError):
    """More requests than can be answered in time.

    Args:
        message: for the caller.
        wait: seconds after which to try again.
    """

    def __init__(self, message: str, wait: int = 1) -> None:
        super().__init__(message)
        self.wait = wait


class ClientGone(AnimalsError):
    """A client that closed the connection before its response was ready."""


class WrongRequest(AnimalsError, ValueError):
    """A request that does not follow the Open Inference Protocol."""


class NotConvertible(AnimalsError):
    """A model that cannot be quantized, pruned or compiled."""


class ServiceError(AnimalsError):
    """Another service that does not respond, or whose response is not the expected one."""


class RequestRefused(ServiceError):
    """A request that another service rejects, with its reason."""


class CloudError(AnimalsError):
    """A gcloud command or a deployment that failed."""


class InvalidToken(AnimalsError, ValueError):
    """A prediction id that this service did not sign."""


class ExpiredToken(InvalidToken):
    """A prediction id that this service signed too long ago."""


class WrongFeedback(AnimalsError, ValueError):
    """Feedback that does not fit the prediction that it is about."""
