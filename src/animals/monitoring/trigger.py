"""How a training is asked for: by a message to Pub/Sub or an event at GitHub, at most once a day for a version.

`ANIMALS_TRIGGER` says which:

    print                                   nobody is asked; the decision is printed anyway
    pubsub://projects/PROJECT/topics/TOPIC  the request as a message
    github://OWNER/REPOSITORY               the event `retrain`, whose payload is the request; needs GITHUB_TOKEN
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
"""For one request, repeated by the library where it may be."""

EVENT: Final = "retrain"
"""Type of the event at GitHub, which a workflow waits for."""

_PUBSUB: Final = re.compile(r"pubsub://(projects/[^/\s]+/topics/[^/\s]+)")


class RetrainRequest(Record):
    """That somebody train again: what is sent, and what the bucket remembers under `retrain/`."""

    id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    created: AwareDatetime = Field(default_factory=now)
    version: str
    """That serves, and is to be followed by a better one."""
    bucket: str
    """Where it and the feedback are."""
    reasons: tuple[str, ...]
    """Each one sentence."""

    @property
    def name(self) -> str:
        """Of the object that remembers it: one a day for each version."""
        return f"retrain/date={self.created:%Y-%m-%d}/{self.version}.json"


Trigger = Callable[[RetrainRequest], None]
"""Sends a request.

Raises:
    ServiceError: who should get it is away; the same may succeed later.
    RequestRefused: it was not taken, and will not be.
"""


class TriggerSettings(GitHubSettings):
    """Who is asked, and by which right; taken from the environment."""

    trigger: str = "print"
    """print, pubsub://projects/PROJECT/topics/TOPIC or github://OWNER/REPOSITORY."""


def open_trigger(settings: TriggerSettings) -> Trigger | None:
    """How to ask for a training; None where nobody is to be asked.

    Raises:
        ConfigError: the setting has no such form, or what it needs is missing.
    """
    if settings.trigger == "print":
        return None
    if found := _PUBSUB.fullmatch(settings.trigger):
        return _to_pubsub(found[1])
    if repository := repository_of(settings.trigger):
        return _to_github(repository, settings)
    raise ConfigError(
        f"ANIMALS_TRIGGER is {settings.trigger}; expected print, pubsub://projects/PROJECT/topics/TOPIC or "
        "github://OWNER/REPOSITORY."
    )


def ask_once(trigger: Trigger, request: RetrainRequest, storage: Storage) -> bool:
    """Ask for a training, unless one was asked for on the same day for the same version.

    The bucket remembers the request before it is sent: of two who ask at once only one gets through. What could not be
    sent is forgotten again, so that the next one tries.

    Returns:
        Whether it was sent now.
    """
    try:
        storage.write(request.name, request.model_dump_json(indent=2).encode(), if_generation=ABSENT)
    except ObjectChanged:
        return False
    try:
        trigger(request)
    except BaseException:  # also Ctrl-C
        with contextlib.suppress(StorageError):  # then nobody asks again today
            storage.delete(request.name)
        raise
    return True


def _to_pubsub(topic: str) -> Trigger:
    def send(request: RetrainRequest) -> None:
        # a second, of which only who sends a message has the use
        from google.api_core import exceptions as google
        from google.api_core.retry import Retry
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.pubsub_v1 import PublisherClient

        try:
            with PublisherClient() as client:
                message = request.model_dump_json().encode()
                limits = {"retry": Retry(timeout=SECONDS), "timeout": SECONDS}  # by default it tries for ten minutes
                client.publish(topic, message, id=request.id, version=request.version, **limits).result()
        except google.NotFound as error:
            raise RequestRefused(f"There is no topic {topic}. Create it or set ANIMALS_TRIGGER.") from error
        except (google.ClientError, GoogleAuthError) as error:
            raise RequestRefused(
                f"{topic} does not take the request to train again: {error}. Log in with `gcloud auth "
                "application-default login`, or give the service account the role Pub/Sub Publisher."
            ) from error
        except google.GoogleAPIError as error:
            raise ServiceError(f"{topic} cannot be reached: {error}") from error

    return send


def _to_github(repository: str, settings: TriggerSettings) -> Trigger:
    token = settings.github_token.get_secret_value() if settings.github_token else None
    dispatch = open_dispatch(repository, token, api=settings.github_api)
    return lambda request: dispatch(EVENT, request.model_dump(mode="json"))
