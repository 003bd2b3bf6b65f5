"""A stand-in for gcloud, first on the PATH: it records its calls, and responds from a table."""

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

BETWEEN_WORDS: Final = "\x1f"
BETWEEN_CALLS: Final = "\x1e"

SHELL: Final = """#!/bin/sh
given=
case " $* " in *" --data-file=- "*) given=$(cat; echo .) ;; esac
asked=
for word; do asked="$asked<$word>"; done
{ for word; do printf '%s\\037' "$word"; done; printf '%s\\036' "${given%.}"; } >> @LOG@
"""
"""For systems with a POSIX shell, which starts twenty times faster than Python."""

PYTHON: Final = """
import json, pathlib, sys
folder, asked = pathlib.Path(__file__).parent, sys.argv[1:]
given = sys.stdin.read() if "--data-file=-" in asked else ""
with (folder / "calls").open("a", encoding="utf-8", newline="") as file:
    file.write("".join(word + "\\x1f" for word in asked) + given + "\\x1e")
answers = json.loads((folder / "answers.json").read_text("utf-8"))
for number, (words, stdout, stderr, code, times) in reversed(list(enumerate(answers))):
    used, rest = folder / f"used-{number}", iter(asked)
    count = int(used.read_text("utf-8")) if used.exists() else 0
    if all(word in rest for word in words) and (times is None or count < times):
        used.write_text(str(count + 1), "utf-8")
        sys.stdout.write(stdout)
        sys.stderr.write(stderr)
        sys.exit(code)
"""
"""For other systems, and for responses that a table cannot express."""


class Answer(NamedTuple):
    """The response to commands with these words."""

    words: tuple[str, ...]
    stdout: str
    stderr: str
    code: int
    times: int | None


@dataclass(frozen=True)
class Call:
    """A recorded command."""

    words: tuple[str, ...]
    """From `gcloud` on."""
    stdin: str

    def __str__(self) -> str:
        return " ".join(self.words)

    def has(self, *words: str) -> bool:
        """Return whether it has these words in this order, with others between."""
        rest = iter(self.words)
        return all(word in rest for word in words)


class FakeGcloud:
    """The stand-in in a folder, which must be the first on the PATH.

    A command that matches no response succeeds without output. Its standard input is recorded if it has the word
    `--data-file=-`.

    Args:
        folder: folder of the stand-in.
        plays: Python code for commands that match no response, with the variables `asked` (the words) and `folder`.
    """

    def __init__(self, folder: Path, plays: str = "") -> None:
        self.folder = folder
        self._plays = plays
        self._answers: list[Answer] = []
        folder.mkdir(parents=True, exist_ok=True)
        self._save()

    def answer(
        self, *words: str, stdout: object = "", stderr: str = "", code: int = 0, times: int | None = None
    ) -> None:
        """Set the response to commands that have these words in this order; the last matching response counts.

        Args:
            words: words of the command.
            stdout: text, or any other value, which becomes JSON.
            stderr: text.
            code: exit code.
            times: number of uses, after which the response is ignored.
        """
        text = stdout if isinstance(stdout, str) else json.dumps(stdout)
        self._answers.append(Answer(words, text, stderr, code, times))
        self._save()

    @property
    def calls(self) -> list[Call]:
        """All recorded commands."""
        log = self.folder / "calls"
        text = log.read_bytes().decode() if log.exists() else ""
        calls = [call.split(BETWEEN_WORDS) for call in text.split(BETWEEN_CALLS)[:-1]]
        return [Call(("gcloud", *words), given) for *words, given in calls]

    def called(self, *words: str) -> list[Call]:
        """Return the commands that have these words in this order."""
        return [call for call in self.calls if call.has(*words)]

    def response(self, *words: str) -> str:
        """Return the last response set for these words."""
        return next(answer.stdout for answer in reversed(self._answers) if answer.words == words)

    def forget(self) -> None:
        """Delete the recorded commands, but not the responses and their uses."""
        (self.folder / "calls").unlink(missing_ok=True)

    def _save(self) -> None:
        if os.name == "nt" or self._plays:
            self._write_python()
            return
        branches = [self._branch(number, answer) for number, answer in enumerate(self._answers)]
        head = SHELL.replace("@LOG@", shlex.quote(str(self.folder / "calls")))
        self._write("gcloud", "\n".join([head, *reversed(branches), "exit 0\n"]))

    def _write_python(self) -> None:
        self._write("answers.json", json.dumps(self._answers))
        self._write("gcloud.py", PYTHON + self._plays)
        program = self.folder / "gcloud.py"
        if os.name == "nt":
            self._write("gcloud.cmd", f'@"{sys.executable}" "{program}" %*\n')
        else:
            self._write(
                "gcloud", "#!/bin/sh\n" + shlex.join(["exec", sys.executable, "-S", "-E", str(program)]) + ' "$@"\n'
            )

    def _write(self, name: str, text: str) -> None:
        """Write atomically: a command may start at any moment."""
        path = self.folder / name
        path.with_suffix(".new").write_text(text, encoding="utf-8")
        path.with_suffix(".new").chmod(0o755)
        path.with_suffix(".new").replace(path)

    def _branch(self, number: int, answer: Answer) -> str:
        """Return the shell code of a response."""
        pattern = "*".join(["", *(shlex.quote(f"<{word}>") for word in answer.words), ""]) or "*"
        says = f"printf %s {shlex.quote(answer.stdout)}; printf %s {shlex.quote(answer.stderr)} >&2; exit {answer.code}"
        if answer.times is not None:
            used = shlex.quote(str(self.folder / f"used-{number}"))
            count = f"n=0; [ -f {used} ] && read n < {used}"
            says = f"{count}; [ $n -lt {answer.times} ] && {{ echo $((n+1)) > {used}; {says}; }}"
        return f'case "$asked" in {pattern}) {says} ;; esac'
