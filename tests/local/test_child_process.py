"""A process that ends when its parent process does."""

import os
import subprocess
import sys
import time

import pytest

from animals.local import child_process
from animals.local.child_process import request_end, start
from tests.local.conftest import IGNORING_SIGTERM, MakeModule, assert_all_end, processes_of

WAITING = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("ending"), sys.exit(5)))
print(sys.argv, __name__, repr(sys.stdin.read()), flush=True)
time.sleep(60)
"""


def test_a_module_runs_as_by_python_m_and_receives_sigterm(make_module: MakeModule) -> None:
    process = start(make_module(WAITING), "one", "two", environment=os.environ, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline().endswith(b".py', 'one', 'two'] __main__ ''\n")
    request_end(process)
    request_end(process)
    assert process.wait(10) == 5
    assert process.stdout.read() == b"ending\n"
    process.stdout.close()


def test_the_exit_code_of_a_module_is_kept(make_module: MakeModule) -> None:
    process = start(make_module("raise SystemExit(7)"), environment=os.environ)
    assert process.wait(10) == 7
    request_end(process)


def test_it_ends_when_its_parent_is_killed(make_module: MakeModule) -> None:
    module = make_module(IGNORING_SIGTERM.replace("SIG_IGN", "SIG_DFL"))
    code = f"""
import os, time
from animals.local.child_process import start
start({module!r}, environment=os.environ)
time.sleep(60)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert parent.stdout
    parent.stdout.readline()  # the module's first line
    assert len(processes_of(module)) == 1
    parent.kill()
    parent.wait()
    assert_all_end(module)
    parent.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups of this kind")
def test_ctrl_c_in_the_terminal_does_not_reach_it(make_module: MakeModule) -> None:
    process = start(make_module(IGNORING_SIGTERM), environment=os.environ)
    try:
        assert os.getpgid(process.pid) != os.getpgid(0)
    finally:
        process.kill()
        process.wait()
        request_end(process)


def test_a_module_that_ignores_sigterm_is_ended(make_module: MakeModule) -> None:
    code = f"""
import sys
from animals.local import child_process
child_process.GRACE_SECONDS, sys.argv[1:] = 0.2, [{make_module(IGNORING_SIGTERM)!r}]
child_process.main()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    started = time.monotonic()
    request_end(process)
    assert process.wait(10) == 1
    assert time.monotonic() - started < child_process.GRACE_SECONDS
    process.stdout.close()
