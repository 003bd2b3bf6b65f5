"""Run a module in a process that ends when the one that started it does, however that happens.

`python -m animals.local.child_process MODULE …` runs `python -m MODULE …` with a pipe as its input. The parent holds
the other end and sends nothing. When the parent closes it or is killed, the pipe ends, and the module receives SIGTERM.
This works on every system.
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
"""That a module has to end by itself."""


def start(module: str, *arguments: str, environment: Mapping[str, str], **options: Any) -> "subprocess.Popen[bytes]":
    """Start a module; closing the `stdin` of what is returned ends it.

    Ctrl-C in the terminal does not reach it: the starter hears that, and ends what it started in its own way.

    Args:
        module: as after `python -m`.
        arguments: of the module.
        environment: all of its variables.
        options: of `subprocess.Popen`.
    """
    if sys.platform == "win32":
        options["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
    else:
        options["process_group"] = 0
    command = [sys.executable, "-m", __name__, module, *arguments]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, **options)  # noqa: S603


def release(process: "subprocess.Popen[bytes]") -> None:
    """Tell a process that `start` returned to end; may be repeated."""
    if process.stdin:
        process.stdin.close()


def main() -> None:
    """Run the module that the arguments name until it ends, or the input does."""
    module, *arguments = sys.argv[1:]
    pipe = os.dup(0)
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 - no path of a file
        os.dup2(nothing.fileno(), 0)
    threading.Thread(target=_end_with, args=(pipe,), name="tether", daemon=True).start()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _end_with(pipe: int) -> None:
    while os.read(pipe, 1024):
        pass
    if sys.platform == "win32":  # where os.kill would not let it clean up
        signal.raise_signal(signal.SIGTERM)
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
