"""Every error that this package raises on purpose.

    AnimalsError                  exit code 1
    ├── UsageError                exit code 2: the caller asked for something that cannot be
    │   ├── ConfigError           a setting is misspelt, impossible or missing
    │   └── DataError             a folder or archive of pictures cannot be used as it is
    ├── PictureError              one picture cannot be used
    │   ├── NotAPicture           no decoder reads it, or it ends too early
    │   └── PictureTooLarge       more bytes or pixels than allowed
    ├── StorageError              something about the bucket
    │   ├── NoSuchObject          the bucket has no object of that name
    │   ├── ObjectChanged         somebody else wrote the object since it was read
    │   └── StorageUnavailable    the bucket cannot be reached, or does not let us in
    ├── ModelError                something about a published model
    │   ├── NoModel               nothing is published, or not that version
    │   └── BrokenModel           a version is there but cannot be served
    ├── PicturesUnavailable       pictures are not to be had from where they should come
    ├── WeightsUnavailable        pretrained weights are neither cached nor to be had
    ├── Interrupted               exit code 130: a run was ended by a signal and can be continued
    ├── SweepFailed               trial after trial fails, or a worker was killed
    ├── PromotionRefused          a version is worse than the one that serves, or it cannot be told
    ├── BrokenRecords             what was compacted cannot be read any more
    ├── NothingToReport           nothing was answered or judged yet
    ├── Busy                      more is asked than can be answered in time
    ├── ClientGone                nobody waits for the answer any more
    ├── WrongRequest              a request does not follow the Open Inference Protocol
    ├── ExportMismatch            the exported model answers otherwise than the trained one
    ├── NotConvertible            a model cannot be quantized, pruned or compiled
    ├── ServiceError              another service did not answer as hoped
    │   ├── ServiceUnavailable    it is away, slow or starting: the same may succeed later
    │   ├── RequestRefused        it says why it will not
    │   └── UnexpectedAnswer      what it answers cannot be understood
    ├── CloudError                gcloud is missing, not logged in, or did not do what it was asked
    ├── DeploymentFailed          a new revision did not pass its tests; the one before it serves
    ├── ServiceStopped            a service of this machine could not start, or ended by itself
    ├── PortUnavailable           another program listens where a service should
    ├── InvalidToken              a prediction id that this service did not sign
    │   └── ExpiredToken          it did, too long ago
    └── WrongFeedback             a judgement does not fit the answer that it judges

A message says what happened, what was expected and what to do. Errors of other libraries become one of these where
they enter the package, so that nobody further up imports, say, google's exceptions.
"""

from typing import ClassVar


class AnimalsError(Exception):
    """Base of every error raised on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(AnimalsError):
    """The caller asked for something that cannot be."""

    exit_code: ClassVar[int] = 2


class ConfigError(UsageError, ValueError):
    """A setting is misspelt, impossible or missing."""


class DataError(UsageError):
    """A folder or archive of pictures cannot be used as it is."""


class PictureError(AnimalsError, ValueError):
    """One picture cannot be used."""


class NotAPicture(PictureError):
    """No decoder reads it, or it ends too early."""


class PictureTooLarge(PictureError):
    """More bytes or pixels than allowed."""


class StorageError(AnimalsError):
    """Something about the bucket."""


class NoSuchObject(StorageError, FileNotFoundError):
    """The bucket has no object of that name."""


class ObjectChanged(StorageError):
    """Somebody else wrote the object since it was read."""


class StorageUnavailable(StorageError, ConnectionError):
    """The bucket cannot be reached, or does not let us in."""


class ModelError(AnimalsError):
    """Something about a published model."""


class NoModel(ModelError):
    """Nothing is published, or not that version."""


class BrokenModel(ModelError):
    """A version is there but cannot be served."""


class PicturesUnavailable(AnimalsError):
    """Pictures are not to be had from where they should come."""


class WeightsUnavailable(AnimalsError):
    """Pretrained weights are neither cached nor to be had."""


class Interrupted(AnimalsError):
    """A run was ended by a signal and can be continued."""

    exit_code = 130


class SweepFailed(AnimalsError):
    """Trial after trial fails, or a worker was killed."""


class PromotionRefused(AnimalsError):
    """A version is worse than the one that serves, or it cannot be told."""


class BrokenRecords(AnimalsError):
    """What was compacted cannot be read any more."""


class NothingToReport(AnimalsError):
    """Nothing was answered or judged yet."""


class Busy(AnimalsError):
    """More is asked than can be answered in time.

    Args:
        message: for the one who asks.
        wait: seconds after which it is worth trying again.
    """

    def __init__(self, message: str, wait: int = 1) -> None:
        super().__init__(message)
        self.wait = wait


class ClientGone(AnimalsError):
    """Nobody waits for the answer any more."""


class WrongRequest(AnimalsError, ValueError):
    """A request does not follow the Open Inference Protocol."""


class ExportMismatch(AnimalsError):
    """The exported model answers otherwise than the trained one."""


class NotConvertible(AnimalsError):
    """A model cannot be quantized, pruned or compiled."""


class ServiceError(AnimalsError):
    """Another service did not answer as hoped."""


class ServiceUnavailable(ServiceError, ConnectionError):
    """It is away, slow or starting: the same may succeed later."""


class RequestRefused(ServiceError):
    """It says why it will not."""


class UnexpectedAnswer(ServiceError, ValueError):
    """What it answers cannot be understood."""


class CloudError(AnimalsError):
    """Gcloud is missing, not logged in, or did not do what it was asked."""


class DeploymentFailed(AnimalsError):
    """A new revision did not pass its tests; the one before it serves."""


class ServiceStopped(AnimalsError):
    """A service of this machine could not start, or ended by itself."""


class PortUnavailable(AnimalsError):
    """Another program listens where a service should, or the machine has no such address."""


class InvalidToken(AnimalsError, ValueError):
    """A prediction id that this service did not sign."""


class ExpiredToken(InvalidToken):
    """This service signed it too long ago."""


class WrongFeedback(AnimalsError, ValueError):
    """A judgement does not fit the answer that it judges."""
