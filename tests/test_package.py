"""What is built to be installed."""

import subprocess
import tarfile
import zipfile
from pathlib import Path

from tests.support.environments import UV, copy_source
from tests.support.repository import tracked


def test_wheel_and_source_distribution_hold_every_file_of_the_package(tmp_path: Path) -> None:
    source = copy_source(tmp_path / "source")
    done = subprocess.run(
        [str(UV), "build", "--quiet", "--out-dir", str(tmp_path / "dist"), str(source)],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (wheel,), (sdist,) = (tmp_path / "dist").glob("*.whl"), (tmp_path / "dist").glob("*.tar.gz")
    ours = {path.relative_to("src").as_posix() for path in tracked() if path.is_relative_to("src/animals")}
    ours = {name for name in ours if (source / "src" / name).exists()}  # some may be about to be removed
    with zipfile.ZipFile(wheel) as archive:
        assert not ours - set(archive.namelist())
    with tarfile.open(sdist) as archive:
        names = {name.partition("/src/")[2] for name in archive.getnames()}
        assert not ours - names
