"""Prediction ids: signed tokens that carry the answer, so that feedback cannot be invented and needs no database."""

import hashlib
import logging
import secrets
import uuid
from typing import Final

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import AwareDatetime, ValidationError

from animals.config.services import ServiceSettings
from animals.errors import ConfigError, InvalidToken
from animals.records import Probability, Record, now

logger = logging.getLogger(__name__)

_SALT: Final = "animals prediction id"
_DIGITS: Final = 5
"""Decimals of a probability in a token; all of them would double its length."""


class Answer(Record):
    """What a prediction id carries."""

    id: str
    version: str
    prediction: str
    probabilities: dict[str, Probability]
    """Rounded to five decimals."""
    time: AwareDatetime


class Tokens:
    """Signs answers and reads them back.

    Args:
        key: whoever has it can sign.
    """

    def __init__(self, key: str) -> None:
        self._serializer = URLSafeTimedSerializer(
            key, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def sign(self, version: str, prediction: str, probabilities: dict[str, float], identity: str | None = None) -> str:
        """A new prediction id, safe in URLs; `identity` is the id in it, by default a random one."""
        answer = Answer(
            id=identity or uuid.uuid4().hex,
            version=version,
            prediction=prediction,
            probabilities={label: round(probability, _DIGITS) for label, probability in probabilities.items()},
            time=now(),
        )
        signed = self._serializer.dumps(answer.model_dump(mode="json"))
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, token: str) -> Answer:
        """The answer that a prediction id carries.

        Raises:
            InvalidToken: this service did not sign it.
        """
        try:
            return Answer.model_validate(self._serializer.loads(token))
        except (BadData, UnicodeError, ValidationError) as error:
            raise InvalidToken(
                "This prediction id was not given out by this service, or is damaged. "
                "Classify the picture again and send the new one."
            ) from error


def signing_key(settings: ServiceSettings) -> str:
    """The key in the settings, or a new random one.

    Raises:
        ConfigError: none is set on Cloud Run, where each instance would sign with a key of its own.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    if settings.in_cloud:
        raise ConfigError(
            "ANIMALS_SECRET is not set, and instances on Cloud Run must share the key that signs prediction ids. "
            "Set it from Secret Manager to a long random text."
        )
    logger.warning("ANIMALS_SECRET is not set: prediction ids are valid only until this process ends.")
    return secrets.token_hex(32)
