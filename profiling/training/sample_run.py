"""Train on the sample and evaluate the version.

    python -m profiling.training.sample_run

Runs `invoke train` and `invoke evaluate` in a temporary folder, and copies report and figures to reports/sample/.
Arguments are Hydra overrides of the training.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from animals.cli import exit_on_error
from animals.errors import AnimalsError
from profiling.figures import FIGURES, shrink
from profiling.results import conditions

OUT: Final = Path("reports", "sample")
CURVES: Final = FIGURES / "sample_curves.png"


def main() -> None:
    """Train, evaluate and copy."""
    with exit_on_error(), tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary)
        cache = Path("data", "cache").resolve().as_posix()
        folders = [f"data.cache_dir={cache}", "tracking.mode=disabled"]
        run(folder, "train", *folders, *sys.argv[1:])
        run(folder, "evaluate")
        copy_report(folder)


def run(folder: Path, *words: str) -> None:
    """Run a command of `animals` in a folder.

    Raises:
        AnimalsError: it failed.
    """
    command = [sys.executable, "-m", "animals", *words]
    code = subprocess.run(command, cwd=folder, env={**os.environ, "ANIMALS_BUCKET": "bucket"}, check=False).returncode  # noqa: S603 - ours
    if code:
        raise AnimalsError(f"animals {words[0]} ended with {code}; its output is above.")


def copy_report(folder: Path) -> None:
    """Copy report and figures, with the command that made them."""
    (report,) = (folder / "reports" / "versions").iterdir()
    (curves,) = (folder / "runs").glob("*/figures/curves.png")
    for path in report.glob("*.png"):
        shrink(path, OUT / path.name)
    title, _, text = (report / "report.md").read_text(encoding="utf-8").partition("\n")
    made = conditions()
    (OUT / "report.md").write_text(f"{title}\n\n`{made['command']}`, {made['date']}\n{text}", encoding="utf-8")
    shrink(curves, CURVES)


if __name__ == "__main__":
    main()
