"""Run a module in a process that ends when its parent process ends, even if the parent is killed.

`python -m animals.local.child_process MODULE …` runs `python -m MODULE …` with a pipe as its input. The parent holds
the other end and writes nothing. When the parent closes it or is killed, the pipe ends, and the module receives
SIGTERM. This works on every system.
"""

import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

GRACE_SECONDS: Final = 15.0


def start(module: str, *arguments: str, environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a module as a child process, as `python -m` would, with these environment variables only.

    Ctrl-C in the terminal does not reach the child: its parent receives the signal and ends it with `request_end`.
    """
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["process_group"] = 0
    command = [sys.executable, "-m", __name__, module, *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, **options)  # noqa: S603


def request_end(process: "subprocess.Popen[bytes]") -> None:
    """Let a process that `start` returned receive SIGTERM; may be repeated."""
    if process.stdin:
        process.stdin.close()


def main() -> None:
    """Run the module that the arguments name until it ends, or its parent process does."""
    module, *arguments = sys.argv[1:]
    pipe = os.dup(0)
    with open(os.devnull, "rb") as empty_input:  # noqa: PTH123 - no path of a file
        os.dup2(empty_input.fileno(), 0)
    threading.Thread(target=_end_with_pipe, args=(pipe,), name="parent-watch", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with_pipe(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    if sys.platform == "win32":  # where os.kill would end the process without cleaning up
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
