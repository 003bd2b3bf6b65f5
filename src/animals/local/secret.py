"""The key that signs prediction ids on this machine: made once, so that feedback outlives a restart."""

import os
import secrets
from pathlib import Path
from typing import Final

from animals.errors import ConfigError

FILE: Final = Path("data/secret")
"""Not in the bucket, which others may read."""


def local_secret(path: Path = FILE) -> str:
    """The key in a file that only its owner may read; it is made if it is not there.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            pass
        else:
            with os.fdopen(file, "w", encoding="ascii") as opened:
                opened.write(secrets.token_hex(32))
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot hold the key that signs prediction ids: {error}. Delete it.") from error
    if not key:
        raise ConfigError(f"{path} is empty; expected the key that signs prediction ids. Delete it, and it is made.")
    return key
