"""Prediction ids: signed tokens that carry the prediction, so that feedback needs no database and cannot be forged."""

import base64
import hashlib
import logging
import secrets
import uuid
from datetime import timedelta
from typing import Final

from itsdangerous import BadData, SignatureExpired, URLSafeTimedSerializer
from pydantic import AwareDatetime, ValidationError

from animals.errors import ConfigError, ExpiredToken, InvalidToken
from animals.records import Probability, Record, now
from animals.secret_manager import read_secret
from animals.serving.settings import BackendSettings

logger = logging.getLogger(__name__)

_SALT: Final = "animals prediction id"
_DIGITS: Final = 5
"""Decimals of a probability in a token; all of them would double its length."""
_MAX_LENGTH: Final = 100_000
"""Characters of a token that are read: enough for thousands of labels; longer ones would only take time to check."""


class TokenPayload(Record):
    """The prediction that a token carries."""

    id: str
    version: str
    prediction: str
    probabilities: dict[str, Probability]
    """Rounded to five decimals."""
    time: AwareDatetime
    picture: str | None = None
    """`digest` of the file that was classified; None where the client sent pixels."""


def digest(data: bytes) -> str:
    """Return the SHA-256 of a picture's file in URL-safe base64, 43 characters."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


class Tokens:
    """Signer and reader of prediction ids; anyone who has the key can sign."""

    def __init__(self, key: str, *, days: float = 30.0) -> None:
        self._max_age = timedelta(days=days)
        self._serializer = URLSafeTimedSerializer(
            key, salt=_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256}
        )

    def sign(
        self,
        version: str,
        prediction: str,
        probabilities: dict[str, float],
        identity: str | None = None,
        picture: bytes | None = None,
    ) -> str:
        """Return a new prediction id, safe in URLs.

        It carries the payload's id, by default a random one, and the digest of the file that was classified.
        """
        payload = TokenPayload(
            id=identity or uuid.uuid4().hex,
            version=version,
            prediction=prediction,
            probabilities={label: round(probability, _DIGITS) for label, probability in probabilities.items()},
            time=now(),
            picture=None if picture is None else digest(picture),
        )
        signed = self._serializer.dumps(payload.model_dump(mode="json"))
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, token: str) -> TokenPayload:
        """Verify a prediction id and return its payload."""
        try:
            # the signature of a token that is cut here does not match
            payload = self._serializer.loads(token[:_MAX_LENGTH], max_age=int(self._max_age.total_seconds()))
            return TokenPayload.model_validate(payload)
        except SignatureExpired as error:
            raise ExpiredToken(
                f"This prediction id is older than {self._max_age / timedelta(days=1):g} days. "
                "Classify the picture again and send the new one."
            ) from error
        except (BadData, UnicodeError, ValidationError) as error:
            raise InvalidToken(
                "This prediction id was not issued by this service, or is damaged. "
                "Classify the picture again and send the new one."
            ) from error


def signing_key(settings: BackendSettings) -> str:
    """Return the key in the settings, or else the one that they name in Secret Manager, or else a random one.

    On Cloud Run a key must be set: each instance would sign with a random one of its own.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    if settings.secret_name is not None:
        return read_secret(settings.secret_name, variable="ANIMALS_SECRET_NAME")
    if settings.in_cloud:
        raise ConfigError(
            "ANIMALS_SECRET is not set, and instances on Cloud Run must share the key that signs prediction ids. "
            "Set it from Secret Manager to a long random text, or set ANIMALS_SECRET_NAME to its name there."
        )
    logger.warning("ANIMALS_SECRET is not set: prediction ids are valid only until this process ends.")
    return secrets.token_hex(32)
