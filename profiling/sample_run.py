"""A training on the sample from the beginning, and what its version is worth: the files in reports/sample/.

    python profiling/sample_run.py

Runs `invoke train` and `invoke evaluate` in a folder of their own, and copies report and figures from there. Arguments
are Hydra overrides of the training.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from figures import shrink

from animals.cli import exit_on_error
from animals.errors import AnimalsError

OUT: Final = Path("reports", "sample")
CURVES: Final = Path("reports", "figures", "sample_curves.png")


def main() -> None:
    """Train, examine and copy."""
    with exit_on_error(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        cache = Path("data", "cache").resolve().as_posix()
        own = ["bucket=bucket", f"data.cache_dir={cache}", "tracking.mode=disabled"]
        run(folder, "animals.training", *own, *sys.argv[1:])
        run(folder, "animals.training.evaluation", "--bucket", "bucket")
        keep(folder)


def run(folder: Path, module: str, *words: str) -> None:
    """One of this project's commands, in a folder.

    Raises:
        AnimalsError: it failed; what it wrote stands above.
    """
    command = [sys.executable, "-m", module, *words]
    code = subprocess.run(command, cwd=folder, env=dict(os.environ), check=False).returncode  # noqa: S603 - ours
    if code:
        raise AnimalsError(f"python -m {module} ended with {code}; what it wrote stands above.")


def keep(folder: Path) -> None:
    """Report and figures, where the page shows them."""
    (report,) = (folder / "reports" / "versions").iterdir()
    (curves,) = (folder / "runs").glob("*/figures/curves.png")
    for path in report.glob("*.png"):
        shrink(path, OUT / path.name)
    shutil.copyfile(report / "report.md", OUT / "report.md")
    shrink(curves, CURVES)


if __name__ == "__main__":
    main()
