"""Measure what metrics, logs and the prediction log cost a request.

    nice uv run python -m profiling.serving.observability

The application is called directly, in turns with and without them, with a 300x225 JPEG for a model of 224 pixels that
costs next to nothing. CPU time is that of the whole process, so work that other threads do later is included. Results:
docs/design/predictions.md.
"""

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, nullcontext
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
from fastapi import FastAPI
from onnx import TensorProto, helper
from PIL import Image
from pydantic import SecretStr

from animals import registry
from animals.inference import ONNX_INPUT, ONNX_OUTPUT, ONNX_PROJECTION
from animals.markdown import table
from animals.preprocess import InputSpec
from animals.serving.app import create_app
from animals.serving.logs import CloudFormatter
from animals.serving.metrics import STAGES
from animals.serving.metrics import Metrics as BackendMetrics
from animals.serving.model_reloader import make_reloader
from animals.serving.settings import BackendSettings
from animals.storage import FolderStorage
from profiling.card import publish

SIDE: Final = 224
SPEC: Final = InputSpec(side=SIDE, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
LABELS: Final = tuple(f"label {number}" for number in range(10))
BOUNDARY: Final = "x"
WARM_UP: Final = 100


class NoMetrics(BackendMetrics):
    """Metrics that count nothing."""

    def __init__(self) -> None:
        super().__init__()
        nothing: Any = SimpleNamespace(time=nullcontext, observe=lambda _: None, track_inprogress=nullcontext)
        self.in_flight, self.stages = nothing, dict.fromkeys(STAGES, nothing)

    def count_prediction(self, label: str, confidence: float) -> None:  # noqa: D102
        pass

    def count_request(self, route: str, status: int, seconds: float) -> None:  # noqa: D102
        pass


def cheap_model() -> bytes:
    """Return an ONNX file with a real model's input and outputs, computed from the mean colours only."""
    rng = np.random.default_rng(0)
    outputs = {ONNX_OUTPUT: len(LABELS), ONNX_PROJECTION: 8}
    nodes = [
        helper.make_node("GlobalAveragePool", [ONNX_INPUT], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
    ]
    nodes += [helper.make_node("MatMul", ["flat", f"to {name}"], [name]) for name in outputs]
    graph = helper.make_graph(
        nodes,
        "cheap",
        [helper.make_tensor_value_info(ONNX_INPUT, TensorProto.FLOAT, ["pictures", 3, SIDE, SIDE])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["pictures", width])
            for name, width in outputs.items()
        ],
        [
            helper.make_tensor(f"to {name}", TensorProto.FLOAT, [3, width], rng.standard_normal(3 * width))
            for name, width in outputs.items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return bytes(model.SerializeToString())


def request_body() -> bytes:
    """Return a form with a picture."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 12, 3), np.uint8)
    file = BytesIO()
    Image.fromarray(noise).resize((300, 225), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="cat.jpg"\r\n\r\n'
    return head.encode() + file.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()


async def send_request(app: FastAPI, state: dict[str, Any], body: bytes) -> None:
    """Send one request as an ASGI server does."""
    messages: Iterator[dict[str, Any]] = iter([{"type": "http.request", "body": body, "more_body": False}])
    never = asyncio.Event()

    async def receive() -> dict[str, Any]:
        for message in messages:
            return message
        await never.wait()  # the client does not disconnect
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message.get("status", 200) != 200:
            raise RuntimeError(f"The backend answered {message}.")

    headers = [
        (b"host", b"localhost"),
        (b"content-type", f"multipart/form-data; boundary={BOUNDARY}".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/classify/",
        "raw_path": b"/classify/",
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 1),
        "state": dict(state),
    }
    await app(scope, receive, send)  # type: ignore[arg-type]


async def measure(folder: Path, requests: int) -> dict[str, list[float]]:
    """Return the CPU milliseconds of each request, with and without in turns."""
    access = logging.getLogger("animals.serving.middleware.access")
    times: dict[str, list[float]] = {"without": [], "with": []}
    body = request_body()
    async with AsyncExitStack() as stack:
        running = {kind: await start(stack, folder, observed=kind == "with") for kind in times}
        for _ in range(requests):
            for kind, (app, state) in running.items():
                access.disabled = kind == "without"
                started = time.process_time()
                await send_request(app, state, body)
                times[kind].append((time.process_time() - started) * 1000)
    return {kind: it[WARM_UP:] for kind, it in times.items()}


async def start(stack: AsyncExitStack, folder: Path, *, observed: bool) -> tuple[FastAPI, dict[str, Any]]:
    """Return a ready application, and the state of its requests."""
    log_bytes = 8_000_000 if observed else 0
    settings = BackendSettings(bucket=str(folder), secret=SecretStr("x"), predictions_bytes=log_bytes)
    reloader = make_reloader(settings)
    if not observed:
        reloader.metrics = NoMetrics()
    app = create_app(settings, reloader)
    state = await stack.enter_async_context(app.router.lifespan_context(app))
    while reloader.served is None:  # noqa: ASYNC110 - another thread loads it
        await asyncio.sleep(0.01)
    return app, dict(state or {})


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind")
    arguments = parser.parse_args()
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, tempfile.TemporaryDirectory() as folder:
        handler = logging.StreamHandler(nowhere)
        handler.setFormatter(CloudFormatter("project"))
        logging.basicConfig(level=logging.INFO, handlers=[handler])
        publish(FolderStorage(Path(folder)), "cheap", LABELS, SPEC, {registry.ONNX: cheap_model()})
        times = asyncio.run(measure(Path(folder), WARM_UP + arguments.requests))
    columns = {kind: [np.quantile(it, 0.25), np.median(it), np.mean(it)] for kind, it in times.items()}
    columns["difference"] = np.subtract(columns["with"], columns["without"]).tolist()
    rows = [[kind, *(f"{it:.3f}" for it in values)] for kind, values in columns.items()]
    sys.stdout.write(table(["CPU ms a request", "lowest quarter", "median", "mean"], rows) + "\n")


if __name__ == "__main__":
    main()
