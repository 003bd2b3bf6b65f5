"""Whether gcloud knows each flag of a command, by what `gcloud COMMAND --help` says."""

import itertools
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

GCLOUD = shutil.which("gcloud")
"""The real gcloud, found before any test puts a stand-in on the PATH; None if it is not installed."""

NEWER = ("monitoring policies", "monitoring channels")
"""Groups that an older gcloud has only under `alpha` or `beta`."""


class Flags:
    """Checker of commands against the help of gcloud.

    Args:
        known: help texts by command, to which new ones are added.
        config: an empty folder, so that no account or setting changes the help.
    """

    def __init__(self, known: MutableMapping[str, str], config: Path) -> None:
        self._known = known
        self._config = config

    def check(self, commands: Iterable[tuple[str, ...]]) -> None:
        """Fail with all flags that gcloud does not know."""
        commands = list(commands)
        shapes = {
            tuple(word for word in _leading(words) if re.fullmatch(r"[a-z-]+", word)): words for words in commands
        }
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # each help takes gcloud a second
            list(pool.map(self._path, shapes.values()))
        unknown = sorted(
            {f"{' '.join(self._path(words))}: {flag}" for words in commands for flag in self._unknown(words)}
        )
        assert not unknown, "gcloud has no such flags:\n" + "\n".join(unknown)

    def _unknown(self, words: tuple[str, ...]) -> list[str]:
        text = self._help(words)
        flags = [word.partition("=")[0] for word in words[1:] if word.startswith("--")]
        return [flag for flag in flags if not _mentions(text, flag)]

    def _help(self, words: tuple[str, ...]) -> str:
        return self._known[" ".join(self._path(words))]

    def _path(self, words: tuple[str, ...]) -> tuple[str, ...]:
        """Return the words that name the command, without its arguments, after reading its help."""
        leading = _leading(words)
        for length in range(len(leading), 0, -1):
            if " ".join(leading[:length]) in self._known:
                return leading[:length]
        tracks = ((), ("alpha",), ("beta",)) if " ".join(leading[:2]) in NEWER else ((),)
        for length in range(len(leading), 0, -1):  # an argument may be a file that gcloud reads before it prints help
            for track in tracks:
                if text := self._read_help((*track, *leading[:length])):
                    name = _name(text)[len(track) :]
                    self._known[" ".join(name)] = text
                    return name
        raise AssertionError(f"gcloud has no such command: {' '.join(words)}")

    def _read_help(self, words: tuple[str, ...]) -> str:
        environment = {
            **os.environ,
            "CLOUDSDK_CONFIG": str(self._config),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "PAGER": "cat",
        }
        assert GCLOUD
        process = subprocess.run(
            [GCLOUD, *words, "--help"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            check=False,
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", process.stdout) if process.returncode == 0 else ""
        return "" if re.search(r"^ +gcloud .*\b(GROUP|COMMAND)\b", text, re.MULTILINE) else text


def _leading(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words before the first flag, without `gcloud`."""
    return tuple(itertools.takewhile(lambda word: not word.startswith("-"), words[1:]))


def _name(text: str) -> tuple[str, ...]:
    """Return the command, from the line under NAME."""
    match = re.search(r"gcloud ((?:[\w-]+\s+)+)- ", text)
    assert match, text[:200]
    return tuple(match[1].split())


def _mentions(text: str, flag: str) -> bool:
    name = re.escape(flag.removeprefix("--"))
    yes = re.escape(flag.removeprefix("--no-"))
    known = [rf"--(\[no-\])?{name}(?![\w-])"]
    if flag.startswith("--no-"):  # the negation of a boolean flag, which the help may omit
        known += [rf"--\[no-\]{yes}(?![\w-])", rf"--{yes}(?![\w=-])"]
    return re.search("|".join(known), text) is not None
