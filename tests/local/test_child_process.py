"""A process that ends when the one that started it does."""

import os
import subprocess
import sys
import time

import pytest

from animals.local import child_process
from animals.local.child_process import release, start
from tests.local.conftest import STUBBORN, Module, none_left, running

WAITING = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("told"), sys.exit(5)))
print(sys.argv, __name__, repr(sys.stdin.read()), flush=True)
time.sleep(60)
"""


def test_a_module_runs_as_by_python_m_and_is_told_when_it_is_released(module: Module) -> None:
    name = module(WAITING)
    process = start(name, "one", "two", environment=os.environ, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline().endswith(b".py', 'one', 'two'] __main__ ''\n")
    release(process)
    release(process)
    assert process.wait(10) == 5
    assert process.stdout.read() == b"told\n"
    process.stdout.close()


def test_a_module_that_ends_by_itself_gives_its_exit_code(module: Module) -> None:
    process = start(module("raise SystemExit(7)"), environment=os.environ)
    assert process.wait(10) == 7
    release(process)


def test_it_ends_when_its_starter_is_killed(module: Module) -> None:
    name = module(STUBBORN.replace("SIG_IGN", "SIG_DFL"))
    code = f"""
import os, time
from animals.local.child_process import start
start({name!r}, environment=os.environ)
time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert starter.stdout
    starter.stdout.readline()  # the module says that it runs
    assert len(running(name)) == 1
    starter.kill()
    starter.wait()
    assert none_left(name)
    starter.stdout.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no process groups of this kind")
def test_ctrl_c_in_the_terminal_does_not_reach_it(module: Module) -> None:
    process = start(module(STUBBORN), environment=os.environ)
    try:
        assert os.getpgid(process.pid) != os.getpgid(0)
    finally:
        process.kill()
        process.wait()
        release(process)


def test_a_module_that_will_not_end_is_ended(module: Module) -> None:
    name = module(STUBBORN)
    code = f"""
import sys
from animals.local import tether
tether.GRACE_SECONDS, sys.argv[1:] = 0.2, [{name!r}]
tether.main()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    started = time.monotonic()
    release(process)
    assert process.wait(10) == 1
    assert time.monotonic() - started < child_process.GRACE_SECONDS
    process.stdout.close()
