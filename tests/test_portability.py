"""The code is the same on Linux, macOS and Windows, as far as its words tell: `tests/portability.py` says what it sees.

What it cannot see, only a run there shows: the workflow `tests` runs this suite on all three.
"""

import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from tests.portability import RULES, findings

ROOT = Path(__file__).parents[1]

WRONG = {
    "a shell": [
        "import subprocess\nsubprocess.run('ls | wc', shell=True)",
        "from os import system\nsystem('ls')",
        "import subprocess as it\nit.getoutput('ls')",
    ],
    "a place of one system": [
        "from pathlib import Path\nPath('/tmp/x')",
        "open('/dev/null', 'rb')",
        "browser.launch(executable_path='/usr/bin/chromium')",
    ],
    "a separator": [
        "from pathlib import Path\nPath(f'{root}/x')",
        "open(root + '/x', 'rb')",
        "str(path).split('/')",
        "print(f'{path.relative_to(root)}')",
        "name = str(path.relative_to(root))",
    ],
    "fork": [
        "import os\nos.fork()",
        "import multiprocessing as mp\nmp.Process(target=work)",
        "import multiprocessing\nmultiprocessing.get_context()",
        "from multiprocessing import set_start_method\nset_start_method('fork')",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(2)",
        "DataLoader(pictures, num_workers=2)",
    ],
    "POSIX alone": [
        "import fcntl",
        "from signal import SIGKILL",
        "import signal\nprocess.kill(signal.SIGHUP)",
        "import os\nos.killpg(1, 2)",
        "import os\n@mark.parametrize('kill', [os.killpg])\n@mark.skipif(os.name == 'nt')\ndef test(): ...",
        "Popen(words, preexec_fn=work)",
        "import os, sys\nif sys.platform == 'win32':\n    print()\nos.getuid()",
    ],
    "a signal": [
        "import os\nos.kill(1, 2)",
        "process.send_signal(2)",
        "loop.add_signal_handler(2, end)",
    ],
    "an encoding": [
        "open('x')",
        "path.open('w')",
        "import gzip\ngzip.open('x', 'rt')",
        "path.read_text()",
        "path.write_text('x')",
        "import subprocess\nsubprocess.run(words, text=True)",
        "import tempfile\ntempfile.NamedTemporaryFile('w')",
        "import sys\nif sys.platform == 'linux':\n    path.read_text()",
    ],
    "rename": ["import os\nos.rename('a', 'b')", "path.rename(other)"],
    "a date's form": ["day.strftime('%-d %B')", "print(f'{day:%e}')"],
    "a file's name": [
        "folder / 'a:b'",
        "folder / f'{now:%H:%M}.json'",
        "path.with_name(f'{now.isoformat()}.json')",
    ],
    "a link": ["path.symlink_to(other)", "import os\nos.symlink('a', 'b')"],
    "a bare program": [
        "import subprocess\nsubprocess.run(['python', '-V'])",
        "from subprocess import Popen\nPopen(('pytest',))",
        "run('deptry', 'src')",
    ],
    "words": ["import shlex\nshlex.split(typed)"],
    "home": ["import os\nos.environ['HOME']", "import os\nos.getenv('TMPDIR')"],
}
"""What each rule is for."""

RIGHT = {
    "a shell": ["import subprocess\nsubprocess.run(['ls'], shell=False)", "Settings(**given)"],
    "a place of one system": [
        "names = ['/etc/passwd']",
        "def f():\n    '''/tmp is a place.'''",
        "from pathlib import Path\ntry:\n    Path('/proc/cpuinfo').read_bytes()\nexcept OSError:\n    pass",
        "from pathlib import Path\nPath('/sys/x')  # portable: it need not be there",
    ],
    "a separator": ["path.relative_to(root).as_posix()", "key.split('/')", "url + '/x'", "get(f'{url}/x')"],
    "fork": [
        "import multiprocessing\nmultiprocessing.get_context('spawn')",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(2, mp_context=SPAWN)",
        "DataLoader(pictures, num_workers=2, multiprocessing_context='spawn')",
        "DataLoader(pictures)",
    ],
    "POSIX alone": [
        "try:\n    import fcntl\nexcept ImportError:\n    fcntl = None",
        "import os\ncpus = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1",
        "import os, sys\nif sys.platform == 'win32':\n    raise SystemExit\nos.getuid()",
        "import os, sys\nok = sys.platform != 'win32' and os.getuid() == 0",
        "import os, pytest, sys\n@pytest.mark.skipif(os.name == 'nt', reason='')\ndef test():\n    os.killpg(1, 2)",
        "import os, sys\nWINDOWS = sys.platform == 'win32'\nif not WINDOWS:\n    os.getuid()",
        "import signal\nsignal.SIGTERM",
    ],
    "a signal": ["process.terminate()", "import os\nif os.name == 'posix':\n    os.kill(1, 2)"],
    "an encoding": [
        "open('x', 'rb')",
        "open('x', encoding='utf-8')",
        "path.open('wb')",
        "import gzip\ngzip.open('x')",
        "import tarfile\ntarfile.open(path, 'w')",
        "path.read_text('utf-8')",
        "archive.open(member)",
        "from PIL import Image\nImage.open(path)",
        "import subprocess\nsubprocess.run(words, capture_output=True)",
        "import tempfile\ntempfile.NamedTemporaryFile()",
    ],
    "rename": ["path.replace(other)", "table.rename(columns=names)"],
    "a date's form": ["print(f'{day:%d}')", "f'{part:.1%}'"],
    "a file's name": ["folder / f'{now:%Y%m%dT%H%M%SZ}.json'", "folder / f'{day:%Y-%m-%d}'", "part / total"],
    "a link": ["try:\n    path.symlink_to(other)\nexcept OSError:\n    pass"],
    "a bare program": ["import subprocess, sys\nsubprocess.run([sys.executable, '-V'])", "run('git', 'status')"],
    "words": ["import shlex\nshlex.join(['a'])"],
    "home": ["from pathlib import Path\nPath.home()", "import os\nos.environ['HOME'] = 'x'"],
}
"""What is right about the same."""


@pytest.mark.parametrize(("rule", "code"), [(rule, code) for rule, codes in WRONG.items() for code in codes])
def test_what_works_on_some_systems_only_is_found(rule: str, code: str) -> None:
    assert [finding.rule for finding in findings(code)] == [rule]


@pytest.mark.parametrize(("rule", "code"), [(rule, code) for rule, codes in RIGHT.items() for code in codes])
def test_what_works_everywhere_or_has_a_guard_is_not(rule: str, code: str) -> None:
    assert not list(findings(code)), rule


def test_every_rule_has_its_examples() -> None:
    assert set(WRONG) == set(RIGHT) == set(RULES)


@pytest.mark.parametrize("part", ["src", "tests", "profiling", "docs", "dockerfiles", "tasking", "tasks.py"])
def test_the_code_works_everywhere(part: str) -> None:
    paths = [ROOT / part] if part.endswith(".py") else sorted((ROOT / part).rglob("*.py"))
    found = [(path, it) for path in paths for it in findings(path.read_text(encoding="utf-8"))]
    if part == "tests":
        found = [(path, it) for path, it in found if it.rule != "words"]  # they read what shlex.join wrote
    told = [f"{path.relative_to(ROOT).as_posix()}:{it.line}: {it.rule}: {it.code}" for path, it in found]
    assert not told, "\n" + "\n".join(told)


def tracked() -> Iterator[PurePosixPath]:
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    yield from map(PurePosixPath, filter(None, listed.stdout.split("\0")))


def test_every_file_can_be_checked_out_everywhere() -> None:
    paths = list(tracked())
    assert len(paths) > 100
    reserved = {"aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
    for path in paths:
        assert not set(str(path)) & set('<>:"\\|?*'), path
        assert len(str(path)) < 180, path  # Windows's 260, less the folder of the clone
        assert not {part.partition(".")[0].lower() for part in path.parts} & reserved, path
        assert not any(part.endswith((".", " ")) for part in path.parts), path
    twice = [name for name, times in Counter(str(path).lower() for path in paths).items() if times > 1]
    assert not twice, "These names differ in capitals alone, which macOS and Windows take for the same."
