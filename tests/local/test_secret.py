import sys
from pathlib import Path

import pytest

from animals.errors import ConfigError
from animals.local.secret import local_secret


def test_the_key_is_created_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "data" / "secret"
    key = local_secret(path)
    assert len(key) == 64
    assert local_secret(path) == key
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", None])
def test_a_damaged_file_or_a_folder_is_an_error_that_says_what_to_do(content: bytes | None, tmp_path: Path) -> None:
    if content is None:
        (tmp_path / "secret").mkdir()
    else:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match=r"secret .*Delete it"):
        local_secret(tmp_path / "secret")
