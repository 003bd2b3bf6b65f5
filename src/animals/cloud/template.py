"""Files with placeholders such as `${PROJECT}`: YAML and JSON in cloudbuild_files/."""

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Final

from animals.errors import ConfigError

ROOT: Final = Path(__file__).parents[3]
"""Root of the repository: these commands run in a checkout of it."""

FILES: Final = ROOT / "cloudbuild_files"

FILLED: Final = Path("build/cloud")
"""Folder for filled files, relative to the working directory."""


def fill(path: Path, values: Mapping[str, str]) -> str:
    """Return the text of a file with its placeholders filled; `$$` becomes one `$`.

    Raises:
        ConfigError: the file cannot be read, or placeholders and values differ.
    """
    try:
        template = Template(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}. Run this in a checkout of the repository.") from error
    if not template.is_valid():
        raise ConfigError(f"{path} has a $ that is not a placeholder; expected ${{NAME}}, or $$ for a $ itself.")
    placeholders = set(template.get_identifiers())
    if missing := sorted(placeholders - values.keys()):
        raise ConfigError(f"{path} has placeholders without a value: {', '.join(missing)}.")
    if unknown := sorted(values.keys() - placeholders):
        raise ConfigError(f"{path} has no placeholders of these names: {', '.join(unknown)}.")
    return template.substitute(values)


def fill_into(folder: Path, path: Path, values: Mapping[str, str]) -> Path:
    """Write the filled file into a folder under its own name, and return its path.

    Raises:
        ConfigError: as for `fill`, or the folder cannot be written.
    """
    text, target = fill(path, values), folder / path.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise ConfigError(f"{target} cannot be written: {error}.") from error
    return target
