"""What happens to a service: it is killed, reloaded, flooded, starved and ended, each time in its own process."""

import asyncio
import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from animals import registry
from animals.storage import FolderStorage
from tests.support.emulator import free_port
from tests.support.process import running
from tests.support.published import KEY, certainty, colour_model, plain, publish

COLOURS = {"red": (1, 0, 0), "lime": (0, 1, 0), "blue": (0, 0, 1)}
PICTURES = {colour: plain(colour) for colour in COLOURS}
LABELS = {"red": "red", "lime": "green", "blue": "blue"}
SCALES = {"r1": 1.0, "r2": 2.0}
"""How sure each version is: so an answer shows who gave it."""


def is_right(colour: str, answer: httpx.Response) -> bool:
    """Whether an answer is the one that the version it names must give."""
    found = answer.json()
    sureness = max(certainty(*(0.5 + SCALES[found["model_version"]] * (part - 0.5) for part in COLOURS[colour])))
    return bool(found["prediction"] == LABELS[colour] and abs(found["confidence"] - sureness) < 1e-5)


class Load:
    """Clients that ask one question after the other until they are told to stop."""

    def __init__(self, port: Callable[[], int]) -> None:
        self.answers: Counter[str] = Counter()
        self._port = port
        self._stop = threading.Event()
        self._lock = threading.Lock()

    @contextmanager
    def asking(self, clients: int) -> Iterator[None]:
        with ThreadPoolExecutor(clients) as pool:
            asked = [pool.submit(self._ask) for _ in range(clients)]
            try:
                yield
            finally:
                self._stop.set()
        for client in asked:
            client.result()

    def _ask(self) -> None:
        with httpx.Client(timeout=30) as client:
            for colour in itertools.cycle(COLOURS):
                if self._stop.is_set():
                    return
                url = f"http://127.0.0.1:{self._port()}/classify/"
                try:
                    answer = client.post(url, files={"file": PICTURES[colour]})
                except httpx.TransportError as error:
                    outcome = type(error).__name__
                    time.sleep(0.01)
                else:
                    right = answer.status_code == 200 and is_right(colour, answer)
                    outcome = f"right from {answer.json()['model_version']}" if right else answer.text
                with self._lock:
                    self.answers[outcome] += 1

    def wait_for(self, outcome: str, times: int = 30) -> None:
        """Until so many more have come."""
        before, deadline = self.answers[outcome], time.monotonic() + 30
        while self.answers[outcome] < before + times:
            assert time.monotonic() < deadline, self.answers
            time.sleep(0.01)


def test_a_version_promoted_under_load_replaces_the_other_without_a_failure_or_a_mix(
    folder: FolderStorage, tmp_path: Path
) -> None:
    for version, scale in SCALES.items():
        publish(folder, version, colour_model(scale=scale))
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_RELOAD_SECONDS="0.05") as process:
        process.wait_until_ready()
        load = Load(lambda: process.port)
        with load.asking(8):
            load.wait_for("right from r2")
            for _ in range(4):
                registry.rollback(folder, reason="test")
                load.wait_for(f"right from {registry.read_current(folder).version}")
    assert set(load.answers) == {"right from r1", "right from r2"}


def test_a_broken_version_promoted_under_load_disturbs_nobody(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_RELOAD_SECONDS="0.05") as process:
        process.wait_until_ready()
        load = Load(lambda: process.port)
        with load.asking(4):
            publish(folder, "r2", colour_model(scale=float("nan")))
            process.wait_for("(r1 keeps serving)")
            load.wait_for("right from r1")
        counts = httpx.get(f"{process.url}/metrics").text
    assert set(load.answers) == {"right from r1"}
    assert 'animals_reloads_total{outcome="refused"} 1.0' in counts


def test_after_a_kill_a_new_process_answers_as_before(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    port = free_port()
    load = Load(lambda: port)
    environment = {"ANIMALS_BUCKET": folder.url, "ANIMALS_SECRET": KEY, "PORT": str(port)}
    with running(tmp_path, **environment) as first, load.asking(4):
        first.wait_until_ready()
        load.wait_for("right from r1")
        first.popen.kill()
        first.popen.wait()
        with running(tmp_path, **environment) as second:
            second.wait_until_ready()
            load.wait_for("right from r1")
            load._stop.set()  # the clients end before the second process does
            time.sleep(0.2)
    # while nothing runs, or nothing is loaded, they hear so; nobody hears anything wrong
    wrong = {outcome for outcome in load.answers if "Error" not in outcome and "being loaded" not in outcome}
    assert wrong == {"right from r1"}


def written(picture: bytes) -> bytes:
    """A whole request, after whose answer the connection is closed."""
    request = httpx.Request("POST", "http://x/classify/", files={"file": picture}, headers={"Connection": "close"})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST /classify/ HTTP/1.1\r\n{head}\r\n".encode() + request.read()


async def asked_all_at_once(port: int, requests: list[bytes]) -> list[httpx.Response]:
    """The answers to many requests, which are all sent before any answer is read."""
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in requests]
    for (_, writer), request in zip(connections, requests, strict=True):
        writer.write(request)
    answers = []
    for reader, writer in connections:
        head, _, body = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        answers.append(httpx.Response(int(first.split()[1]), headers=headers, content=body))
        writer.close()
    return answers


def test_of_a_flood_each_is_answered_rightly_or_told_to_come_back(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_DEADLINE_SECONDS="0.2") as process:
        process.wait_until_ready()
        requests = {colour: written(plain(colour, (1200, 1200))) for colour in COLOURS}
        colours = list(itertools.islice(itertools.cycle(COLOURS), 400))
        started = time.monotonic()
        answers = asyncio.run(asked_all_at_once(process.port, [requests[colour] for colour in colours]))
        assert time.monotonic() - started < 15
        counts = httpx.get(f"{process.url}/metrics").text
        assert "Traceback" not in process.log
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}
    for colour, answer in zip(colours, answers, strict=True):
        assert is_right(colour, answer) if answer.status_code == 200 else int(answer.headers["retry-after"]) >= 1
    assert f"animals_requests_shed_total {statuses[503]}.0" in counts


HEAD = (
    b"POST /classify/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b'Content-Length: 9999\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
)


def test_clients_that_trickle_starve_nobody_and_are_sent_away(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_UPLOAD_SECONDS="1.5") as process:
        process.wait_until_ready()
        slow = [socket.create_connection(("127.0.0.1", process.port), timeout=30) for _ in range(150)]
        for connection in slow:
            connection.sendall(HEAD)
        load = Load(lambda: process.port)
        with load.asking(2):
            load.wait_for("right from r1")
            for connection in slow:
                connection.sendall(b"a little more")
        assert set(load.answers) == {"right from r1"}
        for connection in slow:
            with connection, connection.makefile("rb") as file:
                answer = file.read()  # to the end of the connection
            assert answer.startswith(b"HTTP/1.1 408"), answer
            assert b"within 1.5 s" in answer


def _send(port: int, request: bytes) -> bytes:
    """The whole answer to a request on a connection of its own; empty if the connection was refused."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            return connection.makefile("rb").read()
    except ConnectionError:
        return b""


def test_after_sigterm_under_load_every_accepted_request_is_answered_and_no_more_are_accepted(
    folder: FolderStorage, tmp_path: Path
) -> None:
    publish(folder, "r1")
    request = httpx.Request(
        "POST", "http://x/classify/", files={"file": plain("lime")}, headers={"Connection": "close"}
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    whole = f"POST /classify/ HTTP/1.1\r\n{head}\r\n".encode() + request.read()
    with running(tmp_path, ANIMALS_BUCKET=folder.url) as process:
        process.wait_until_ready()
        port, answers = process.port, Counter[str]()

        def ask() -> None:
            while answer := _send(port, whole):
                right = answer.startswith(b"HTTP/1.1 200") and b'"prediction":"green"' in answer
                answers["right" if right else answer.decode()] += 1

        with ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(ask)
            time.sleep(0.5)
            started = time.monotonic()
            assert process.end() == 0
        assert time.monotonic() - started < 5
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        assert "Traceback" not in process.log
    assert set(answers) == {"right"}


def test_a_trickling_client_does_not_hold_up_the_end(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    with running(tmp_path, ANIMALS_BUCKET=folder.url) as process:
        process.wait_until_ready()
        with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
            connection.sendall(HEAD)
            time.sleep(0.2)
            assert process.end() == 0
            assert connection.recv(10_000).startswith(b"HTTP/1.1 503")
        assert "Traceback" not in process.log


def test_clients_that_leave_are_not_computed_for(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    whole = written(plain("lime", (2000, 2000)))
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_DEADLINE_SECONDS="100") as process:
        process.wait_until_ready()
        leaving = [socket.create_connection(("127.0.0.1", process.port), timeout=30) for _ in range(40)]
        for connection in leaving:
            connection.sendall(whole)
        for connection in leaving:
            connection.close()
        answer = httpx.post(f"{process.url}/classify/", files={"file": PICTURES["lime"]}, timeout=30)
        assert answer.status_code == 200
        text = httpx.get(f"{process.url}/metrics").text
        assert "Traceback" not in process.log
    computed = float(next(line for line in text.splitlines() if 'predictions_total{label="green"}' in line).split()[1])
    assert computed < 30, "of forty that left and one that stayed"
