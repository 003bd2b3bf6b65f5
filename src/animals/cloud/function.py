"""The report as a function on Cloud Run: its source in a folder of its own, and the command that deploys it."""

import ast
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from animals.cloud.canary import TAG
from animals.cloud.gcloud import Command
from animals.cloud.target import REPORT, Place
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


def needed(module: str) -> dict[str, Path]:
    """Every module of this project that one needs, itself included, by what their files import.

    Args:
        module: such as animals.monitoring.main.

    Returns:
        Name of a module -> its file.
    """
    found: dict[str, Path] = {}
    wanted = [module]
    while wanted:
        name = wanted.pop()
        path = _file(name)
        if name in found or path is None:  # None: a name in a module
            continue
        found[name] = path
        wanted += [name.rpartition(".")[0], *_imports(path)]
    return found


def _file(module: str) -> Path | None:
    place = SOURCE.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if module and path.is_file()), None)


def _imports(path: Path) -> Iterator[str]:
    """What of this project a file imports, wherever it does; a name that may be a module counts as one."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("animals"))
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("animals"):
            yield from (name for alias in node.names for name in (node.module, f"{node.module}.{alias.name}") if name)


def assemble(folder: Path) -> Path:
    """Write the function's source: its entry, its pinned requirements, and the modules that it needs, nothing else.

    Args:
        folder: gets it; what is in it goes.

    Returns:
        The folder.

    Raises:
        ConfigError: it is a folder with something else in it, or cannot be written.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "main.py").is_file():
        raise ConfigError(f"{folder} holds something else than a function; name another folder, or empty this one.")
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "main.py").write_text(MAIN, encoding="utf-8", newline="\n")
        shutil.copyfile(ROOT / "requirements_report.txt", folder / "requirements.txt")
        for path in needed(ENTRY).values():
            target = folder / path.relative_to(SOURCE)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    except OSError as error:
        raise ConfigError(f"The function cannot be assembled in {folder}: {error}.") from error
    return folder


def deploy(place: Place, folder: Path, revision: str, *, first: bool) -> Command:
    """The command that makes a new revision of it.

    Args:
        place: where.
        folder: with its source.
        revision: its name.
        first: whether there is none before; a first one cannot be without visitors.
    """
    deployer = place.account("deployer")
    options = {
        "source": folder.as_posix(),
        "function": TARGET,
        "base-image": "python311",
        "image": place.registry,  # of all images; the default is a repository that nobody cleans up
        "build-service-account": f"projects/{place.project}/serviceAccounts/{deployer}",
        "service-account": place.account("report"),
        "set-env-vars": f"ANIMALS_BUCKET={place.bucket}",
        "cpu": "1",
        "memory": "1Gi",  # 463 MiB were measured; the file system is memory too
        "concurrency": "4",  # the framework's threads on one CPU; one report is made at a time, and others wait
        "timeout": "300",  # 17 s were measured; a first report after a long time reads all that has come since
        "min": "0",
        "max-instances": "2",
        "revision-suffix": revision.removeprefix(f"{REPORT}-"),
        "tag": TAG,
        "ingress": "all",
        "project": place.project,
        "region": place.region,
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    flags = ("--cpu-boost", "--no-allow-unauthenticated", *(() if first else ("--no-traffic",)))
    return Command(("gcloud", "run", "deploy", REPORT, *words, *flags), f"make {revision}, from {folder.as_posix()}")


def write(folder: Path) -> None:
    """Write the function's source into a folder, and print the command that runs it."""
    assemble(folder)
    sys.stdout.write(f"{folder} has the report function: {len(needed(ENTRY))} modules. To try it:\n")
    sys.stdout.write(f"functions-framework --source {folder / 'main.py'} --target {TARGET}\n")
