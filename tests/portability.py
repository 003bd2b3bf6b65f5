"""Finds what works on some systems only, in the syntax tree of Python code.

A finding is no finding behind a guard: a condition on `sys.platform`, `os.name` or `hasattr`, a handler for what the
other systems raise, a test that is skipped there. Where neither fits, `# portable: REASON` in the line says why.

It knows names, not values. What it cannot see: whether a guard asks for the right system; a path, a command or a signal
that is put together elsewhere; what a library does; how files are locked and how long a path may be; the ends of lines;
what a process can still do that `terminate()` ends, which is nothing on Windows; and shell scripts.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from tests.syntax import Code, calls

MARK: Final = "# portable: "
POSIX_MODULES: Final = re.compile("curses|fcntl|grp|posix|pty|pwd|readline|resource|syslog|termios|tty")
POSIX_NAMES: Final = re.compile(
    r"os\.(chown|chroot|fchmod|getegid|geteuid|getgid|getloadavg|getpgid|getpgrp|getuid|killpg|mkfifo|mknod|nice)"
    r"|os\.(openpty|pread|pwrite|sched_\w+|setpgid|setsid|setuid|statvfs|sysconf|uname|wait|wait3|wait4)"
    r"|signal\.SIG(ALRM|CHLD|CONT|HUP|KILL|PIPE|QUIT|STOP|TSTP|USR1|USR2)"
    r"|signal\.(alarm|pause|pthread_kill|setitimer|sigwait)|time\.tzset"
)
POSIX_OPTIONS: Final = {"pass_fds", "preexec_fn"}
PROGRAMS: Final = re.compile("deptry|invoke|locust|mypy|pip|pytest|python3?|ruff|streamlit|uvicorn")
PLACES: Final = re.compile(r"/(bin|dev|etc|home|mnt|opt|proc|root|run|sys|tmp|usr|var)(/|$)")
NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*]|%[TXcr]')
ONE_SYSTEMS_DATES: Final = re.compile(r"%[-#_^]|%[GPekls]")
SHARED: Final = re.compile(r"multiprocessing\.(Array|Event|Lock|Manager|Pool|Process|Queue|Value)")
OPEN_NO_TEXT: Final = re.compile(r"(PIL\.)?Image\.|os\.|tarfile\.|zipfile\.|webbrowser\.")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not the same on every system."""

    line: int
    rule: str
    code: str


def _given(call: ast.Call, *names: str | None) -> ast.expr | None:
    """An argument by its name, or what `**` hands on if None is one of the names."""
    return next((it.value for it in call.keywords if it.arg in names), None)


def _text(node: ast.AST | None) -> str:
    """What a string says, as far as it is written there."""
    parts = [] if node is None else [it.value for it in ast.walk(node) if isinstance(it, ast.Constant)]
    return "".join(part for part in parts if isinstance(part, str))


def _shell(node: ast.AST, code: Code) -> bool:
    by_name = {"os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
    return calls(node) and (_is_true(_given(node, "shell")) or code.full(node.func) in by_name)


def _is_true(node: ast.AST | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def _place(node: ast.AST, code: Code) -> bool:
    if not isinstance(node, ast.Constant) or not PLACES.match(str(node.value)):
        return False
    parent = code.parents[node]
    return isinstance(parent, ast.keyword) or (calls(parent) and _makes_path(parent, code))


def _makes_path(call: ast.Call, code: Code) -> bool:
    name = code.full(call.func)
    return name.startswith(("os.", "shutil.")) or name.rpartition(".")[2] in ("Path", "PurePath", "open", "with_name")


def _separator(node: ast.AST, code: Code) -> bool:
    """A path that is joined, split or told by hand: Windows has another separator."""
    if isinstance(node, ast.FormattedValue):
        return code.full(getattr(node.value, "func", None)).endswith(".relative_to")
    if not calls(node) or not node.args:
        return False
    first = node.args[0]
    if code.full(node.func) == "str":
        return code.full(getattr(first, "func", None)).endswith(".relative_to")
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("split", "rpartition", "partition", "startswith"):
        return _text(first) == "/" and code.full(getattr(node.func.value, "func", None)) in ("str", "os.fspath")
    joined = isinstance(first, ast.JoinedStr) or (isinstance(first, ast.BinOp) and isinstance(first.op, ast.Add))
    return _makes_path(node, code) and joined and bool(re.search(r"[/\\]", _text(first)))


def _fork(node: ast.AST, code: Code) -> bool:
    if not calls(node):
        return False
    name = code.full(node.func)
    match name.rpartition(".")[2]:
        case "fork" | "forkpty":
            return name.startswith(("os.", "pty."))
        case "get_context" | "set_start_method":
            return _text(node.args[0] if node.args else None) != "spawn"
        case "ProcessPoolExecutor":
            return _given(node, "mp_context", None) is None and len(node.args) < 2
        case "DataLoader":
            return _given(node, "num_workers") is not None and _given(node, "multiprocessing_context", None) is None
    return bool(SHARED.fullmatch(name))


def _posix(node: ast.AST, code: Code) -> bool:
    match node:
        case ast.Import():
            return any(POSIX_MODULES.fullmatch(name.name) for name in node.names)
        case ast.ImportFrom():
            names = [f"{node.module}.{it.name}" for it in node.names]
            return bool(POSIX_MODULES.fullmatch(str(node.module))) or any(map(POSIX_NAMES.fullmatch, names))
        case ast.Attribute():
            return bool(POSIX_NAMES.fullmatch(code.full(node)))
        case ast.keyword():
            return node.arg in POSIX_OPTIONS
    return False


def _signal(node: ast.AST, code: Code) -> bool:
    """A signal to a process: Windows knows none between processes, and ends it at once."""
    if not calls(node):
        return False
    return code.full(node.func) == "os.kill" or code.full(node.func).endswith((".send_signal", ".add_signal_handler"))


def _encoding(node: ast.AST, code: Code) -> bool:
    """Text without a word on its encoding: Windows still writes and reads that of the region."""
    if not calls(node) or _given(node, "encoding", None) is not None:
        return False
    name = code.full(node.func)
    if name.startswith("subprocess."):
        return _is_true(_given(node, "text")) or _is_true(_given(node, "universal_newlines"))
    match name.rpartition(".")[2]:
        case "read_text":
            return not node.args
        case "write_text":
            return len(node.args) < 2
        case "open":
            return not OPEN_NO_TEXT.match(name) and _opens_text(node, name)
        case "fdopen":
            return "b" not in _mode(node.args[1:2], node)
        case "NamedTemporaryFile" | "TemporaryFile":
            return "b" not in (_mode(node.args[:1], node) or "b")
    return False


def _opens_text(call: ast.Call, name: str) -> bool:
    """Whether a file is opened as text; `archive.open(member)` has an argument that is no mode."""
    if name in ("gzip.open", "bz2.open", "lzma.open"):
        return "t" in _mode(call.args[1:2], call)
    places = call.args[1:2] if name in ("open", "io.open") else call.args[:1]
    mode = _mode(places, call)
    return "b" not in mode and bool(mode or not places)


def _mode(places: list[ast.expr], call: ast.Call) -> str:
    modes = [*places, *(it.value for it in call.keywords if it.arg == "mode")]
    return next((text for text in map(_text, modes) if re.fullmatch(r"[rwxa][bt+]*", text)), "")


def _rename(node: ast.AST, code: Code) -> bool:
    """Renaming fails on Windows where the new name is taken; `replace` is the same everywhere."""
    if not calls(node):
        return False
    by_path = isinstance(node.func, ast.Attribute) and node.func.attr == "rename" and len(node.args) == 1
    return code.full(node.func) in ("os.rename", "os.renames") or (by_path and not node.keywords)


def _date(node: ast.AST, code: Code) -> bool:
    if isinstance(node, ast.FormattedValue):
        return bool(ONE_SYSTEMS_DATES.search(_text(node.format_spec)))
    by_name = calls(node) and code.full(node.func).endswith(".strftime")
    return by_name and bool(ONE_SYSTEMS_DATES.search(_text(node)))


def _file_name(node: ast.AST, code: Code) -> bool:
    """A name that Windows refuses, or takes for a hidden stream of another file."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        name: ast.AST | None = node.right
    elif calls(node) and code.full(node.func).rpartition(".")[2] in ("Path", "with_name", "mkdtemp", "mktemp"):
        name = node.args[-1] if node.args else None
    else:
        return False
    if not isinstance(name, ast.Constant | ast.JoinedStr | ast.Call):
        return False
    if any(code.full(it).endswith(".isoformat") for it in ast.walk(name) if isinstance(it, ast.Attribute)):
        return "replace" not in ast.unparse(name)
    return not calls(name) and bool(NOT_IN_NAMES.search(_text(name)))


def _link(node: ast.AST, code: Code) -> bool:
    return calls(node) and code.full(node.func).endswith((".symlink_to", "os.symlink"))


def _program(node: ast.AST, code: Code) -> bool:
    """A program of this environment by its bare name: the PATH may lead to another one, or to none."""
    if not calls(node) or not node.args:
        return False
    name, first = code.full(node.func), node.args[0]
    starts = name == "run" or name.startswith(("subprocess.", "os.exec", "os.spawn", "asyncio.create_subprocess"))
    if isinstance(first, ast.List | ast.Tuple) and first.elts:
        first = first.elts[0]
    return starts and isinstance(first, ast.Constant) and bool(PROGRAMS.fullmatch(str(first.value)))


def _words(node: ast.AST, code: Code) -> bool:
    """`shlex.split` takes the backslashes out of Windows's paths."""
    return calls(node) and code.full(node.func) == "shlex.split"


def _home(node: ast.AST, code: Code) -> bool:
    names = ("HOME", "LOGNAME", "SHELL", "TMPDIR", "USER")
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Load) and code.full(node.value) == "os.environ" and _text(node.slice) in names
    asked = calls(node) and code.full(node.func) in ("os.getenv", "os.environ.get")
    return asked and bool(node.args) and _text(node.args[0]) in names  # type: ignore[attr-defined]


RULES: Final[dict[str, Callable[[ast.AST, Code], bool]]] = {
    "a shell": _shell,
    "a place of one system": _place,
    "a separator": _separator,
    "fork": _fork,
    "POSIX alone": _posix,
    "a signal": _signal,
    "an encoding": _encoding,
    "rename": _rename,
    "a date's form": _date,
    "a file's name": _file_name,
    "a link": _link,
    "a bare program": _program,
    "words": _words,
    "home": _home,
}

GUARDABLE: Final = {"a file's name", "a link", "a place of one system", "a signal", "home", "POSIX alone", "words"}
"""The others have a form that is right everywhere."""


def findings(source: str) -> Iterator[Finding]:
    """What is found in a module."""
    code = Code(ast.parse(source))
    lines = source.splitlines()
    for node in ast.walk(code.tree):
        if isinstance(node, ast.expr_context | ast.Name | ast.stmt) and not isinstance(
            node, ast.Import | ast.ImportFrom
        ):
            continue  # no rule looks at these, which are the most
        for name, rule in RULES.items():
            if rule(node, code) and not (name in GUARDABLE and code.guarded(node)):
                line = getattr(node, "lineno", 0)
                if MARK not in lines[line - 1]:
                    yield Finding(line, name, lines[line - 1].strip())
