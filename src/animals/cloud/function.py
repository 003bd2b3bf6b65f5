"""The report function on Cloud Run: its source in a folder of its own, and the command that deploys it."""

import shutil
import sys
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Final

from animals.cloud.canary import TAG
from animals.cloud.gcloud import Command
from animals.cloud.target import REPORT, Target
from animals.cloud.template import FILLED, ROOT
from animals.errors import ConfigError

SOURCE: Final = ROOT / "src"

ENTRY: Final = "animals.monitoring.main"
TARGET: Final = "generate_performance_report"

MAIN: Final = f'''"""The report function, as functions-framework looks for it."""

from {ENTRY} import {TARGET}

__all__ = ["{TARGET}"]
'''

FOLDER: Final = FILLED / "function"


def needed() -> list[Path]:
    """Return the files of this project that the function imports, directly or indirectly, and its own."""
    finder = ModuleFinder([str(SOURCE)])  # without the paths of libraries, so that it finds only this project
    finder.import_hook(ENTRY)
    paths = (getattr(module, "__file__", None) for module in finder.modules.values())  # None: of Python's own
    return [Path(path) for path in paths if path]


def assemble(folder: Path) -> Path:
    """Write the function's source: its entry point, its requirements, and only the modules that it needs.

    The content of the folder, which is returned, is replaced.

    Raises:
        ConfigError: the folder contains something else, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "main.py").is_file():
        raise ConfigError(f"{folder} contains something else than a function; choose another folder, or empty it.")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(MAIN, encoding="utf-8", newline="\n")
        shutil.copyfile(ROOT / "requirements_report.txt", folder / "requirements.txt")
        for path in needed():
            target = folder / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    except OSError as error:
        raise ConfigError(f"The function cannot be written to {folder}: {error}.") from error
    return folder


def deploy(target: Target, folder: Path, revision: str, *, first: bool) -> Command:
    """Return the command that deploys a new revision from a folder with the source.

    It gets no traffic unless it is the first: Cloud Run refuses a first revision without traffic.
    """
    deployer = target.account("deployer")
    options = {
        "source": folder.as_posix(),
        "function": TARGET,
        "base-image": "python311",
        "image": target.registry,  # of all images; the default repository has no cleanup policy
        "build-service-account": f"projects/{target.project}/serviceAccounts/{deployer}",
        "service-account": target.account("report"),
        "set-env-vars": f"ANIMALS_BUCKET={target.bucket}",
        "cpu": "1",
        "memory": "1Gi",  # 463 MiB measured; the file system is in memory too
        "concurrency": "4",  # the framework's threads on one CPU; reports are made one at a time
        "timeout": "300",  # 24 s measured; the first report after a long time reads all records since
        "min": "0",
        "max-instances": "2",
        "revision-suffix": revision.removeprefix(f"{REPORT}-"),
        "tag": TAG,
        "ingress": "all",
        "project": target.project,
        "region": target.region,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    flags = ("--cpu-boost", "--no-allow-unauthenticated", *(() if first else ("--no-traffic",)))
    return Command(("gcloud", "run", "deploy", REPORT, *words, *flags), f"create {revision} from {folder.as_posix()}")


def write(folder: Path) -> None:
    """Write the function's source into a folder, and print the command that runs it."""
    assemble(folder)
    sys.stdout.write(f"{folder} contains the report function ({len(needed())} modules). Run it with:\n")
    sys.stdout.write(f"functions-framework --source {folder / 'main.py'} --target {TARGET}\n")
