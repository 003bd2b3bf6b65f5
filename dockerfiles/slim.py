"""Make an image's libraries smaller without taking away what the image does.

python slim.py ENVIRONMENT MODULE [MODULE ...]

Removes files that no run opens, from the packages that are there; takes symbols for debuggers out of the largest
compiled ones; and compiles bytecode of what the modules import and of nothing else, since pip would compile all. What
is imported besides is compiled when it is imported, each time.

Each line of the tables fails when it finds nothing any more in a package that is there: then it is to be looked at
again. What these images do without those files is tested in tests/containers/.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

UNUSED: Final = {
    "evidently": (
        "evidently/legacy/ui/assets",  # of its own server, which is not started
        "evidently/ui/service/assets",
        "evidently/legacy/dashboard/tabs/*.ipynb",
    ),
    "jupyterlab_plotly": ("jupyterlab_plotly",),  # plotly in notebooks
    "numpy": ("numpy/**/tests", "numpy/_core/include", "numpy/_core/lib"),
    "nvidia": (  # for a GPU; what torch is linked to has to stay
        "nvidia/**/include",
        "nvidia/**/*.bc",
        "nvidia/**/libcudnn_*.so*",
        "nvidia/**/libcusolver*.so*",
        "nvidia/**/libnvJitLink.so*",
        "nvidia/**/libnvperf*.so*",
        "nvidia/**/libnvrtc-builtins*.so*",
    ),
    "onnxruntime": ("onnxruntime/capi/libonnxruntime.so.*",),  # a second copy, for programs in C
    "pandas": ("pandas/tests",),
    "pyarrow": (
        "pyarrow/include",
        "pyarrow/src",
        "pyarrow/tests",
        "pyarrow/_flight.*",  # Arrow's own protocol between servers
        "pyarrow/libarrow_flight.so*",
        "pyarrow/libarrow_python_flight.so*",
        "pyarrow/_s3fs.*",  # another cloud's buckets
        "pyarrow/libarrow_s3.so*",
        "pyarrow/libarrow_python*.so",  # second and third copies, for compilers
        "pyarrow/libarrow_python*.so.*.*.*",
    ),
    "pydeck": ("pydeck/nbextension/static",),  # maps in notebooks
    "scipy": ("scipy/**/tests",),
    "sklearn": ("sklearn/**/tests",),
    "statsmodels": ("statsmodels/**/tests", "statsmodels/datasets/*/*.csv"),
    "triton": ("triton",),  # a compiler for GPUs
}
"""Package -> what no run of these images opens, as patterns in site-packages."""

STRIPPED: Final = (
    "PIL",
    "cryptography",
    "httptools",
    "numpy",
    "pyarrow",
    "regex",
    "scipy",
    "sklearn",
    "uvloop",
    "yaml",
)
"""Packages whose compiled files hold megabytes for debuggers."""


def main() -> None:
    """Slim the environment, and say by how much."""
    environment, *modules = sys.argv[1:]
    [packages] = Path(environment).glob("lib/python3*/site-packages")
    before = megabytes(packages)
    removed(packages)
    stripped(packages)
    subprocess.run([Path(environment) / "bin" / "python", "-c", f"import {', '.join(modules)}"], check=True)  # noqa: S603
    print(f"{packages}: {before:.0f} MB are {megabytes(packages):.0f} MB now")  # noqa: T201 - the build's log


def removed(packages: Path) -> None:
    """Remove what no run opens.

    Raises:
        SystemExit: a pattern finds nothing in a package that is there.
    """
    for package, patterns in UNUSED.items():
        if not (packages / package).is_dir():
            continue
        for pattern in patterns:
            found = list(packages.glob(pattern))
            if not found:
                raise SystemExit(f"slim.py: there is no {pattern} any more. See what took its place.")
            for path in found:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)  # it may have gone with its folder
    for stub in packages.rglob("*.pyi"):  # for type checkers
        stub.unlink()


def stripped(packages: Path) -> None:
    """Take out what only debuggers read."""
    if not shutil.which("strip"):  # it comes with binutils, which not every stage has
        return
    files = [
        file
        for package in STRIPPED
        for file in (packages / package).rglob("*")
        if re.search(r"\.so(\.\d+)*$", file.name)
    ]
    if files:
        subprocess.run(["strip", "--strip-unneeded", *files], check=True)  # noqa: S603, S607 - binutils', from PATH


def megabytes(folder: Path) -> float:
    """Of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
