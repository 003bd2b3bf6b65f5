"""From the start of the backend's process to its first answer: `python profiling/cold_start.py PICTURE`.

The model is the promoted one of `ANIMALS_BUCKET`. The first start is not counted: it fills the disk's cache and, unless
`PYTHONDONTWRITEBYTECODE` is set, compiles the libraries, which an image has done when it was built. `python -X
importtime -m animals.serving` shows where the rest of the time goes.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

DEADLINE = 60.0
"""Seconds after which a backend counts as broken."""


def first_answer(picture: bytes, port: int) -> float:
    """Seconds until a new backend has answered."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "animals.serving"],
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _answers(picture, port):
            if process.poll() is not None or time.perf_counter() - started > DEADLINE:
                raise SystemExit("The backend does not start. See why: python -m animals.serving")
            time.sleep(0.005)
        return time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def _answers(picture: bytes, port: int) -> bool:
    try:
        return httpx.post(f"http://127.0.0.1:{port}/classify/", files={"file": picture}).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def main() -> None:
    """Print the time of each start, and the median."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--port", type=int, default=8765)
    arguments = parser.parse_args()
    picture = arguments.picture.read_bytes()
    first_answer(picture, arguments.port)
    seconds = [first_answer(picture, arguments.port) for _ in range(arguments.starts)]
    times = ", ".join(f"{second:.2f}" for second in seconds)
    sys.stdout.write(f"median {statistics.median(seconds):.2f} s of {times}\n")


if __name__ == "__main__":
    main()
