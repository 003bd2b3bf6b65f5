"""Request a training: by a message to Pub/Sub or an event at GitHub, at most once a day for a version.

`ANIMALS_TRIGGER` selects the way:

    print                                   no request is sent; the decision is printed in any case
    pubsub://projects/PROJECT/topics/TOPIC  the request as a message
    github://OWNER/REPOSITORY               the event `retrain`, with the request as payload; needs GITHUB_TOKEN
"""

import contextlib
import re
import uuid
from collections.abc import Callable
from typing import Final

from pydantic import AwareDatetime, Field

from animals.config.settings import GitHubSettings
from animals.errors import ConfigError, ObjectChanged, RequestRefused, ServiceError, StorageError
from animals.github import open_dispatch, repository_of
from animals.records import Record, now
from animals.storage import ABSENT, Storage

SECONDS: Final = 30.0
"""Time for one request, which the library may retry."""

EVENT: Final = "retrain"
"""Type of the event at GitHub, which starts a workflow."""

_PUBSUB: Final = re.compile(r"pubsub://(projects/[^/\s]+/topics/[^/\s]+)")


class RetrainRequest(Record):
    """A request to retrain, sent to the trigger and stored in the bucket under `retrain/`."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    created: AwareDatetime = Field(default_factory=now)
    version: str
    """The served version, to be replaced by a better one."""
    bucket: str
    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of its object: one a day for each version."""
        return f"retrain/date={self.created:%Y-%m-%d}/{self.version}.json"


Trigger = Callable[[RetrainRequest], None]
"""Function that sends a request.

Raises:
    RequestRefused: the receiver rejects the request; a retry will not help.
    ServiceError: the receiver cannot be reached; a retry may succeed.
"""


class TriggerSettings(GitHubSettings):
    """Settings of the trigger, taken from the environment."""

    trigger: str = "print"
    """print, pubsub://projects/PROJECT/topics/TOPIC or github://OWNER/REPOSITORY."""


def open_trigger(settings: TriggerSettings) -> Trigger | None:
    """Return the function that sends requests; None if none are to be sent."""
    if settings.trigger == "print":
        return None
    if match := _PUBSUB.fullmatch(settings.trigger):
        return _to_pubsub(match[1])
    if repository := repository_of(settings.trigger):
        return _to_github(repository, settings)
    raise ConfigError(
        f"ANIMALS_TRIGGER is {settings.trigger}; expected print, pubsub://projects/PROJECT/topics/TOPIC or "
        "github://OWNER/REPOSITORY."
    )


def send_once(trigger: Trigger, request: RetrainRequest, storage: Storage) -> bool:
    """Send a request, unless one was sent on the same day for the same version; return whether it was sent now.

    The request is stored before it is sent, so that only one of two concurrent processes sends it. If sending fails, it
    is deleted again, so that the next check retries.
    """
    try:
        storage.write(request.name, request.model_dump_json(indent=2).encode(), if_generation=ABSENT)
    except ObjectChanged:
        return False
    try:
        trigger(request)
    except BaseException:  # also Ctrl-C
        with contextlib.suppress(StorageError):  # if it stays, the next request is sent tomorrow
            storage.delete(request.name)
        raise
    return True


def _to_pubsub(topic: str) -> Trigger:
    def send(request: RetrainRequest) -> None:
        # takes a second to import
        from google.api_core import exceptions as google
        from google.api_core.retry import Retry
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.pubsub_v1 import PublisherClient

        try:
            with PublisherClient() as client:
                message = request.model_dump_json().encode()
                limits = {"retry": Retry(timeout=SECONDS), "timeout": SECONDS}  # by default it retries for ten minutes
                client.publish(topic, message, id=request.id, version=request.version, **limits).result()
        except google.NotFound as error:
            raise RequestRefused(f"There is no topic {topic}. Create it or set ANIMALS_TRIGGER.") from error
        except (google.ClientError, GoogleAuthError) as error:
            raise RequestRefused(
                f"{topic} rejects the request to retrain: {error}. Log in with `gcloud auth "
                "application-default login`, or give the service account the role Pub/Sub Publisher."
            ) from error
        except google.GoogleAPIError as error:
            raise ServiceError(f"{topic} cannot be reached: {error}") from error

    return send


def _to_github(repository: str, settings: TriggerSettings) -> Trigger:
    token = settings.github_token.get_secret_value() if settings.github_token else None
    dispatch = open_dispatch(repository, token, api=settings.github_api)
    return lambda request: dispatch(EVENT, request.model_dump(mode="json"))
