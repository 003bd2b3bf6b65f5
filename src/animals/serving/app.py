"""The application: `uvicorn --factory animals.serving.app:create_app`, or better `python -m animals.serving`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import TypedDict

import anyio
from fastapi import FastAPI
from fastapi.middleware import Middleware

from animals.config.services import ServiceSettings, read_settings
from animals.cpus import available_cpus
from animals.serving import problems, routes
from animals.serving.limits import BodyLimitMiddleware
from animals.serving.logs import TraceMiddleware
from animals.serving.tokens import Tokens, signing_key
from animals.serving.watcher import Watcher
from animals.storage import open_storage


class State(TypedDict):
    """What `request.state` carries."""

    settings: ServiceSettings
    tokens: Tokens
    watcher: Watcher
    turns: anyio.Semaphore
    """As many as there are CPUs: one for each picture that is worked on."""


def create_app(settings: ServiceSettings | None = None) -> FastAPI:
    """Build the backend; nothing is loaded before it starts.

    Args:
        settings: those in the environment if not given.

    Raises:
        ConfigError: a setting is impossible or missing.
    """
    settings = read_settings() if settings is None else settings
    storage = open_storage(settings.bucket)
    tokens = Tokens(signing_key(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        cores = available_cpus()
        wait, pixels = settings.reload_seconds, settings.max_pixels
        with Watcher(storage, max_pixels=pixels, threads=cores, interval=wait) as watcher:
            yield State(settings=settings, tokens=tokens, watcher=watcher, turns=anyio.Semaphore(cores))

    app = FastAPI(
        title="animals",
        summary="Says what is on a picture.",
        version=version("animals"),
        lifespan=lifespan,
        middleware=[
            Middleware(TraceMiddleware),
            Middleware(BodyLimitMiddleware, max_bytes=settings.max_upload_bytes),
        ],
        exception_handlers=problems.handlers(),
        form_limits={"max_files": 1, "max_fields": 10},
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(routes.router)
    return app
