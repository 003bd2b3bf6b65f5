"""Versions of a folder of pictures: what they are goes to git, the pictures themselves to a bucket, by DVC."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from animals.errors import PicturesUnavailable, UsageError

PLACEHOLDER: Final = "YOUR-BUCKET"
"""Stands in `.dvc/config` until somebody names a bucket; capitals, so that no bucket can be called so."""


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
    """Make the pictures below a folder a version, and push them to the bucket. May be repeated until it succeeds.

    Args:
        root: below the working directory, which is the repository's.

    Returns:
        The bucket's URL.

    Raises:
        UsageError: there is no such folder, no bucket is named, or DVC or its repository is missing.
        PicturesUnavailable: DVC failed, and has said why.
    """
    if not root.is_dir():
        raise UsageError(f"{root} is no folder. Bring pictures there first: invoke data --source kaggle")
    url = remote_url()
    _dvc("add", str(root))
    _dvc("push", str(pointer(root)))
    return url


def pointer(root: Path) -> Path:
    """The small file that stands in git for the pictures."""
    return root.with_name(f"{root.name}.dvc")


def remote_url() -> str:
    """Where DVC pushes to.

    Raises:
        UsageError: no bucket is named, or DVC or its repository is missing.
    """
    if importlib.util.find_spec("dvc") is None:
        raise UsageError('DVC is not installed. Install it with: pip install "dvc[gs]"')
    if not Path(".dvc").is_dir():
        raise UsageError(f"{Path.cwd()} is no repository of DVC: it has no folder .dvc. Run this in a clone.")
    settings = dict(line.split("=", 1) for line in _dvc("config", "--list", quiet=True).splitlines())
    name = settings.get("core.remote", "")
    url = settings.get(f"remote.{name}.url", "")
    if not url or PLACEHOLDER in url:
        raise UsageError(
            f"DVC knows no bucket to push to ({url or 'none is named'}). Name yours and commit .dvc/config: "
            f"dvc remote add --force --default {name or 'bucket'} gs://NAME/dvc"
        )
    return url


def _dvc(*words: str, quiet: bool = False) -> str:
    """Run DVC, seen by the person who waits for it unless `quiet`; return what it wrote."""
    # else gcsfs asks over gRPC first whether the bucket is of a rare kind, which an emulator never answers
    environment = {"GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT": "false", **os.environ}
    command = [sys.executable, "-m", "dvc", *words]
    stdout = subprocess.PIPE if quiet else None
    done = subprocess.run(command, env=environment, stdout=stdout, encoding="utf-8", check=False)  # noqa: S603
    if done.returncode:
        raise PicturesUnavailable(f"`dvc {' '.join(words)}` failed; what it says is above. Then run the same again.")
    return done.stdout or ""
