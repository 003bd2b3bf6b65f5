"""Archives made on the spot, of every kind, good and bad."""

import io
import random
import tarfile
import zipfile
from pathlib import Path

_RANDOM = random.Random(0)  # noqa: S311 - bytes that do not compress, the same each time
FILES = {f"{label}/{number}.jpg": _RANDOM.randbytes(3000) for label in ("cane", "gatto") for number in range(8)}


def make_archive(path: Path, files: dict[str, bytes] = FILES, wrap: str = "raw-img/") -> Path:
    """An archive of the kind that its name says, with folders as members too and a file that is no picture."""
    members = {"translate.py": b"1", wrap or "empty/": b"", **{wrap + name: data for name, data in files.items()}}
    if path.suffix == ".zip":
        method = zipfile.ZIP_STORED if "stored" in path.name else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as zipped:
            for name, data in members.items():
                zipped.writestr(name, data)
        return path
    mode = path.suffix.removeprefix(".").replace("tar", "")
    with tarfile.open(path, f"w:{mode}") as tar:  # type: ignore[call-overload]
        for name, data in members.items():
            add(tar, name, data, type=tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE)
    return path


def add(tar: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(data))
