"""Prediction ids: signed tokens that carry the answer, so that feedback cannot be invented and needs no database."""

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
_LONGEST: Final = 100_000
"""Characters of a token that are looked at: enough for thousands of labels, and to check more would only take time."""


class Answer(Record):
    """What a prediction id carries."""

    id: str
    version: str
    prediction: str
    probabilities: dict[str, Probability]
    """Rounded to five decimals."""
    time: AwareDatetime
    picture: str | None = None
    """`digest` of the file that was classified; None where its sender had prepared it for the model."""


def digest(data: bytes) -> str:
    """SHA-256 in URL-safe base64, 43 characters: what a token can carry of a picture."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


class Tokens:
    """Signs answers and reads them back.

    Args:
        key: whoever has it can sign.
        days: for which a token is accepted.
    """

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
        """A new prediction id, safe in URLs.

        Args:
            version: that answered.
            prediction: the likeliest label.
            probabilities: by label.
            identity: the id in it; by default a random one.
            picture: content of the file that was classified, of which the token carries the digest.
        """
        answer = Answer(
            id=identity or uuid.uuid4().hex,
            version=version,
            prediction=prediction,
            probabilities={label: round(probability, _DIGITS) for label, probability in probabilities.items()},
            time=now(),
            picture=None if picture is None else digest(picture),
        )
        signed = self._serializer.dumps(answer.model_dump(mode="json"))
        return signed if isinstance(signed, str) else signed.decode()

    def read(self, token: str) -> Answer:
        """The answer that a prediction id carries.

        Raises:
            ExpiredToken: it is too old.
            InvalidToken: this service did not sign it.
        """
        try:
            # where a longer one is cut, its signature does not fit
            carried = self._serializer.loads(token[:_LONGEST], max_age=int(self._max_age.total_seconds()))
            return Answer.model_validate(carried)
        except SignatureExpired as error:
            raise ExpiredToken(
                f"This prediction id is older than {self._max_age / timedelta(days=1):g} days. "
                "Classify the picture again and send the new one."
            ) from error
        except (BadData, UnicodeError, ValidationError) as error:
            raise InvalidToken(
                "This prediction id was not given out by this service, or is damaged. "
                "Classify the picture again and send the new one."
            ) from error


def signing_key(settings: BackendSettings) -> str:
    """The key in the settings, else the one that they name in Secret Manager, else a new random one.

    Raises:
        ConfigError: the named one cannot be read; or none is set on Cloud Run, where each instance would sign with a
            key of its own.
    """
    if settings.secret is not None:
        return settings.secret.get_secret_value()
    if settings.secret_name is not None:
        return read_secret(settings.secret_name, variable="ANIMALS_SECRET_NAME")
    if settings.in_cloud:
        raise ConfigError(
            "ANIMALS_SECRET is not set, and instances on Cloud Run must share the key that signs prediction ids. "
            "Set it from Secret Manager to a long random text, or say by ANIMALS_SECRET_NAME where it is kept there."
        )
    logger.warning("ANIMALS_SECRET is not set: prediction ids are valid only until this process ends.")
    return secrets.token_hex(32)
