"""A backend process that is killed, reloaded, flooded and stopped under load."""

import asyncio
import itertools
import random
import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from animals import registry
from animals.storage import FolderStorage
from tests.support.emulator import free_port
from tests.support.load import Load, whole_request
from tests.support.process import Served, running
from tests.support.published import KEY, certainty, colour_model, plain, publish

COLOURS = {"red": (1, 0, 0), "lime": (0, 1, 0), "blue": (0, 0, 1)}
PICTURES = {colour: plain(colour) for colour in COLOURS}
LABELS = {"red": "red", "lime": "green", "blue": "blue"}
SCALES = {"r1": 1.0, "r2": 2.0}
"""Scale of the logits of each version: the confidence tells which one predicted."""


def is_right(colour: str, response: httpx.Response) -> bool:
    """Return whether a response is the one that the version it names must give."""
    prediction = response.json()
    confidence = max(certainty(*(0.5 + SCALES[prediction["model_version"]] * (part - 0.5) for part in COLOURS[colour])))
    return bool(prediction["prediction"] == LABELS[colour] and abs(prediction["confidence"] - confidence) < 1e-5)


def classifying(port: int) -> Load:
    """Clients that classify pictures; the outcome of a right prediction is "right from" its version."""

    def classify(client: httpx.Client, _: random.Random) -> None:
        for colour, picture in PICTURES.items():
            try:
                response = client.post(f"http://127.0.0.1:{port}/classify/", files={"file": picture})
            except httpx.TransportError as error:
                load.count(type(error).__name__)
                time.sleep(0.01)
                continue
            right = response.status_code == 200 and is_right(colour, response)
            load.count(f"right from {response.json()['model_version']}" if right else response.text)

    load = Load(classify)
    return load


def test_a_version_promoted_under_load_replaces_the_other_without_a_failure_or_a_mix(
    folder: FolderStorage, tmp_path: Path
) -> None:
    for version, scale in SCALES.items():
        publish(folder, version, colour_model(scale=scale))
    with running(tmp_path, ANIMALS_BUCKET=folder.url, ANIMALS_RELOAD_SECONDS="0.05") as process:
        process.wait_until_ready()
        load = classifying(process.port)
        with load.running(8):
            load.wait_for("right from r2")
            for _ in range(4):
                registry.rollback(folder, reason="test")
                load.wait_for(f"right from {registry.read_current(folder).version}")
    assert set(load.outcomes) == {"right from r1", "right from r2"}


def test_a_broken_version_promoted_under_load_disturbs_no_request(served: Served, folder: FolderStorage) -> None:
    with served(ANIMALS_RELOAD_SECONDS="0.05") as process:
        load = classifying(process.port)
        with load.running(4):
            publish(folder, "r2", colour_model(scale=float("nan")))
            process.wait_for("(r1 keeps serving)")
            load.wait_for("right from r1")
        counts = httpx.get(f"{process.url}/metrics").text
    assert set(load.outcomes) == {"right from r1"}
    assert 'animals_reloads_total{outcome="refused"} 1.0' in counts


def test_after_a_kill_a_new_process_answers_as_before(folder: FolderStorage, tmp_path: Path) -> None:
    publish(folder, "r1")
    port = free_port()
    load = classifying(port)
    environment = {"ANIMALS_BUCKET": folder.url, "ANIMALS_SECRET": KEY, "PORT": str(port)}
    with running(tmp_path, **environment) as first, load.running(4):
        first.wait_until_ready()
        load.wait_for("right from r1")
        first.popen.kill()
        first.popen.wait()
        with running(tmp_path, **environment) as second:
            second.wait_until_ready()
            load.wait_for("right from r1")
            load.stop()  # the clients end before the second process does
            time.sleep(0.2)
    # while no process runs or no model is loaded, there are errors; but no wrong prediction
    wrong = {outcome for outcome in load.outcomes if "Error" not in outcome and "being loaded" not in outcome}
    assert wrong == {"right from r1"}


async def send_all_at_once(port: int, requests: list[bytes]) -> list[httpx.Response]:
    """Send all requests before any response is read; return the responses."""
    connections = [await asyncio.open_connection("127.0.0.1", port) for _ in requests]
    for (_, writer), request in zip(connections, requests, strict=True):
        writer.write(request)
    responses = []
    for reader, writer in connections:
        head, _, body = (await asyncio.wait_for(reader.read(), 30)).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
        responses.append(httpx.Response(int(first.split()[1]), headers=headers, content=body))
        writer.close()
    return responses


def test_each_request_of_a_flood_is_answered_rightly_or_rejected(served: Served) -> None:
    with served(ANIMALS_DEADLINE_SECONDS="0.2") as process:
        requests = {colour: whole_request(plain(colour, (1200, 1200))) for colour in COLOURS}
        colours = list(itertools.islice(itertools.cycle(COLOURS), 400))
        started = time.monotonic()
        responses = asyncio.run(send_all_at_once(process.port, [requests[colour] for colour in colours]))
        assert time.monotonic() - started < 15
        counts = httpx.get(f"{process.url}/metrics").text
        assert "Traceback" not in process.log
    statuses = Counter(response.status_code for response in responses)
    assert set(statuses) == {200, 503}
    for colour, response in zip(colours, responses, strict=True):
        assert is_right(colour, response) if response.status_code == 200 else int(response.headers["retry-after"]) >= 1
    assert f"animals_requests_shed_total {statuses[503]}.0" in counts


HEAD = (
    b"POST /classify/ HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    b'Content-Length: 9999\r\n\r\n--x\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
)


def test_slow_clients_do_not_delay_others_and_are_refused(served: Served) -> None:
    with served(ANIMALS_UPLOAD_SECONDS="1.5") as process:
        slow = [socket.create_connection(("127.0.0.1", process.port), timeout=30) for _ in range(150)]
        for connection in slow:
            connection.sendall(HEAD)
        load = classifying(process.port)
        with load.running(2):
            load.wait_for("right from r1")
            for connection in slow:
                connection.sendall(b"a little more")
        assert set(load.outcomes) == {"right from r1"}
        for connection in slow:
            with connection, connection.makefile("rb") as file:
                response = file.read()  # to the end of the connection
            assert response.startswith(b"HTTP/1.1 408"), response
            assert b"within 1.5 s" in response


def _send(port: int, request: bytes) -> bytes:
    """Return the whole response to a request on a connection of its own; empty if the connection was refused."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall(request)
            return connection.makefile("rb").read()
    except ConnectionError:
        return b""


def test_after_sigterm_under_load_every_accepted_request_is_answered_and_no_more_are_accepted(served: Served) -> None:
    request = whole_request(plain("lime"))
    with served() as process:
        port, responses = process.port, Counter[str]()

        def ask() -> None:
            while response := _send(port, request):
                right = response.startswith(b"HTTP/1.1 200") and b'"prediction":"green"' in response
                responses["right" if right else response.decode()] += 1

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
    assert set(responses) == {"right"}


def test_a_slow_client_does_not_delay_shutdown(served: Served) -> None:
    with served() as process:
        with socket.create_connection(("127.0.0.1", process.port), timeout=30) as connection:
            connection.sendall(HEAD)
            time.sleep(0.2)
            assert process.end() == 0
            assert connection.recv(10_000).startswith(b"HTTP/1.1 503")
        assert "Traceback" not in process.log


def test_pictures_of_clients_that_have_disconnected_are_not_classified(served: Served) -> None:
    whole = whole_request(plain("lime", (2000, 2000)))
    with served(ANIMALS_DEADLINE_SECONDS="100") as process:
        leaving = [socket.create_connection(("127.0.0.1", process.port), timeout=30) for _ in range(40)]
        for connection in leaving:
            connection.sendall(whole)
        for connection in leaving:
            connection.close()
        response = httpx.post(f"{process.url}/classify/", files={"file": PICTURES["lime"]}, timeout=30)
        assert response.status_code == 200
        text = httpx.get(f"{process.url}/metrics").text
        assert "Traceback" not in process.log
    computed = float(next(line for line in text.splitlines() if 'predictions_total{label="green"}' in line).split()[1])
    assert computed < 30, "of forty that left and one that stayed"
