"""The key that signs prediction ids on this machine: created once, so that feedback works after a restart."""

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from animals.errors import ConfigError

SECRET_FILE: Final = Path("data/secret")
"""Outside the bucket, because others may read that."""


def local_secret(path: Path = SECRET_FILE) -> str:
    """Read the key from a file that only its owner may read; create the file if it does not exist."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), open(path, "x", encoding="ascii", opener=_open_private) as file:
            file.write(secrets.token_hex(32))
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be used for the key that signs prediction ids: {error}. Delete it to create a new key."
        ) from error
    if not key:
        raise ConfigError(f"{path} is empty; expected a key. Delete it to create a new one.")
    return key


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
