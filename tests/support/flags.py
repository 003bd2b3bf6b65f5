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
"""The real one, found before any test puts a stand-in on the PATH; None where it is not installed."""

NEWER = ("monitoring policies", "monitoring channels")
"""Groups that an older gcloud has under `alpha` or `beta` alone, where their flags are looked up then."""


class Flags:
    """Checks commands.

    Args:
        known: help texts that were read before, by command; new ones are added.
        config: an empty folder: nobody's account is used, and no setting of theirs changes the help.
    """

    def __init__(self, known: MutableMapping[str, str], config: Path) -> None:
        self._known = known
        self._config = config

    def check(self, commands: Iterable[tuple[str, ...]]) -> None:
        """Fail with each flag that gcloud does not know.

        Args:
            commands: from `gcloud` on.
        """
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
        """The words that name the command, without what it is about; its help is known then."""
        leading = _leading(words)
        for length in range(len(leading), 0, -1):
            if " ".join(leading[:length]) in self._known:
                return leading[:length]
        tracks = ((), ("alpha",), ("beta",)) if " ".join(leading[:2]) in NEWER else ((),)
        for length in range(len(leading), 0, -1):  # what it is about may be a file that is read before any help
            for track in tracks:
                if text := self._ask((*track, *leading[:length])):
                    found = _named(text)[len(track) :]
                    self._known[" ".join(found)] = text
                    return found
        raise AssertionError(f"gcloud has no such command: {' '.join(words)}")

    def _ask(self, words: tuple[str, ...]) -> str:
        environment = {
            **os.environ,
            "CLOUDSDK_CONFIG": str(self._config),
            "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
            "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
            "PAGER": "cat",
        }
        assert GCLOUD
        done = subprocess.run(
            [GCLOUD, *words, "--help"],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            check=False,
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout) if done.returncode == 0 else ""
        return "" if re.search(r"^ +gcloud .*\b(GROUP|COMMAND)\b", text, re.MULTILINE) else text


def _leading(words: tuple[str, ...]) -> tuple[str, ...]:
    """Those before the first flag, without `gcloud`."""
    return tuple(itertools.takewhile(lambda word: not word.startswith("-"), words[1:]))


def _named(text: str) -> tuple[str, ...]:
    """The command, from the line under NAME."""
    found = re.search(r"gcloud ((?:[\w-]+\s+)+)- ", text)
    assert found, text[:200]
    return tuple(found[1].split())


def _mentions(text: str, flag: str) -> bool:
    name = re.escape(flag.removeprefix("--"))
    yes = re.escape(flag.removeprefix("--no-"))
    known = [rf"--(\[no-\])?{name}(?![\w-])"]
    if flag.startswith("--no-"):  # the opposite of one that takes no value, which the help may leave unsaid
        known += [rf"--\[no-\]{yes}(?![\w-])", rf"--{yes}(?![\w=-])"]
    return re.search("|".join(known), text) is not None
