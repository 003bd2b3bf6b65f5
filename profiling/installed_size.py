"""MB that some packages take with all that they need, without compiled bytecode.

python profiling/installed_size.py fastapi torch
python profiling/installed_size.py --all
"""

import argparse
import json
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def with_needs(names: Iterable[str]) -> dict[str, Distribution]:
    """The packages and all that they need in turn, by name; what is not installed here is not needed here."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        asked = Requirement(waiting.pop())
        name = canonicalize_name(asked.name)
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        needs = map(Requirement, found[name].requires or ())
        extras = asked.extras or {""}
        waiting += [str(need) for need in needs if _applies(need, extras)]
    return found


def _applies(need: Requirement, extras: Iterable[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)


def megabytes(packages: Iterable[Distribution]) -> float:
    """Of all their files."""
    files = [package.locate_file(file) for package in packages for file in package.files or ()]
    return sum(path.stat().st_size for path in files if path.is_file() and path.suffix != ".pyc") / 1e6  # type: ignore[attr-defined]


def main() -> None:
    """Write the size and the versions of the packages named, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*")
    parser.add_argument("--all", action="store_true", help="all that are installed")
    arguments = parser.parse_args()
    named = [package.metadata["Name"] for package in distributions()] if arguments.all else arguments.packages
    found = with_needs(named)
    versions = {name: package.version for name, package in sorted(found.items())}
    sys.stdout.write(json.dumps({"megabytes": megabytes(found.values()), "versions": versions}) + "\n")


if __name__ == "__main__":
    main()
