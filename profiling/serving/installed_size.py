"""Measure the MB of packages with their dependencies, without compiled bytecode.

    python profiling/serving/installed_size.py fastapi torch
    python profiling/serving/installed_size.py --all

The benchmark starts it by its path in other environments, so it imports nothing of this project.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def with_dependencies(names: Iterable[str]) -> dict[str, Distribution]:
    """Return the packages and their dependencies by name, without those that are not installed."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        requirement = Requirement(waiting.pop())
        name = canonicalize_name(requirement.name)
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        dependencies = map(Requirement, found[name].requires or ())
        extras = requirement.extras or {""}
        waiting += [str(it) for it in dependencies if _applies(it, extras)]
    return found


def _applies(requirement: Requirement, extras: Iterable[str]) -> bool:
    return requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras)


def megabytes(packages: Iterable[Distribution]) -> float:
    """Return the size of all their files."""
    files = [package.locate_file(file) for package in packages for file in package.files or ()]
    return sum(path.stat().st_size for path in files if path.is_file() and path.suffix != ".pyc") / 1e6  # type: ignore[attr-defined]


def main() -> None:
    """Print the size and the versions of packages as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--all", action="store_true", help="all that are installed")
    arguments = parser.parse_args()
    names = [package.metadata["Name"] for package in distributions()] if arguments.all else arguments.packages
    found = with_dependencies(names)
    versions = {name: package.version for name, package in sorted(found.items())}
    sys.stdout.write(json.dumps({"megabytes": megabytes(found.values()), "versions": versions}) + "\n")


if __name__ == "__main__":
    main()
