"""Versions of a folder of pictures with DVC: a pointer file in git, the pictures in a bucket."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from animals.errors import PicturesUnavailable, UsageError

PLACEHOLDER: Final = "YOUR-BUCKET"
"""Bucket in `.dvc/config` until you set your own; no real bucket has capitals in its name."""


def main(root: Path) -> None:
    """Add the pictures below a folder to DVC, push them, and print the commands that commit the version."""
    url = add_version(root)
    file = pointer(root).as_posix()
    sys.stdout.write(f"""
The pictures are in {url}. To make this version part of the repository:

git add {file}
git commit -m "Change the pictures"
git push
""")


def add_version(root: Path) -> str:
    """Add the pictures of a folder to DVC and push them to the bucket. May be repeated until it succeeds.

    Args:
        root: folder in the repository, which is the working directory.

    Returns:
        The bucket's URL.

    Raises:
        UsageError: the folder, the bucket, DVC or its repository is missing.
        PicturesUnavailable: DVC failed; its own message is on stderr.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is no folder. Import pictures first: invoke data --source kaggle")
    url = remote_url()
    _dvc("add", str(root))
    _dvc("push", str(pointer(root)))
    return url


def pointer(root: Path) -> Path:
    """Return the path of the file that represents the pictures in git."""
    return root.with_name(f"{root.name}.dvc")


def remote_url() -> str:
    """Return the URL that DVC pushes to.

    Raises:
        UsageError: the bucket, DVC or its repository is missing.
    """
    if importlib.util.find_spec("dvc") is None:
        raise UsageError('DVC is not installed. Install it with: pip install "dvc[gs]"')
    if not Path(".dvc").is_dir():
        raise UsageError(
            f"{Path.cwd()} is no DVC repository: it has no folder .dvc. Run this in a clone of the project."
        )
    settings = dict(line.split("=", 1) for line in _dvc("config", "--list", quiet=True).splitlines())
    name = settings.get("core.remote", "")
    url = settings.get(f"remote.{name}.url", "")
    if not url or PLACEHOLDER in url:
        raise UsageError(
            f"DVC has no bucket to push to ({url or 'none is set'}). Set yours and commit .dvc/config: "
            f"dvc remote add --force --default {name or 'bucket'} gs://NAME/dvc"
        )
    return url


def _dvc(*words: str, quiet: bool = False) -> str:
    """Run DVC and return its stdout, which is shown instead unless `quiet`."""
    # else gcsfs first sends a request over gRPC, which an emulator never answers
    environment = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false", **os.environ}
    command = [sys.executable, "-m", "dvc", *words]
    stdout = subprocess.PIPE if quiet else None
    done = subprocess.run(command, env=environment, stdout=stdout, encoding="utf-8", check=False)  # noqa: S603
    if done.returncode:
        raise PicturesUnavailable(
            f"`dvc {' '.join(words)}` failed; its message is above. Fix that and run the same command again."
        )
    return done.stdout or ""
