"""What images are built from, with code that was changed."""

import shutil
from pathlib import Path

from tests.support.environments import ROOT, copy_source


def changed_context(folder: Path) -> Path:
    """A copy of what is built, in which one module of the backend is another one."""
    copy_source(folder)
    shutil.copytree(ROOT / "dockerfiles", folder / "dockerfiles")
    for path in (ROOT / ".dockerignore", *ROOT.glob("requirements*.txt")):
        shutil.copy2(path, folder)
    with (folder / "src" / "animals" / "serving" / "app.py").open("a", encoding="utf-8") as file:
        file.write("\nCHANGED = True\n")
    return folder
