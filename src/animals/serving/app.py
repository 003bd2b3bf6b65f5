"""The application: `uvicorn --factory animals.serving.app:create_app`, or better `python -m animals.serving`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, TypedDict

from fastapi import FastAPI, Security
from fastapi.middleware import Middleware
from fastapi.security import APIKeyHeader

from animals.config.settings import read_settings
from animals.cpus import available_cpus
from animals.serving import batch, error_responses, feedback, routes
from animals.serving.feedback import FeedbackHandler
from animals.serving.feedback_store import FeedbackStore
from animals.serving.logs import TraceMiddleware
from animals.serving.metrics import Metrics
from animals.serving.middleware import auth
from animals.serving.middleware.access import AccessMiddleware
from animals.serving.middleware.auth import KeyMiddleware
from animals.serving.middleware.limits import BodyLimitMiddleware, Uploads
from animals.serving.middleware.slashes import SlashMiddleware
from animals.serving.model_reloader import ModelReloader, make_reloader
from animals.serving.predict import Predictor
from animals.serving.prediction_log import PredictionLog
from animals.serving.queue import RequestQueue
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens, signing_key
from animals.serving.v2 import routes as v2

ROUTERS: Final = (
    routes.predict_router,
    batch.router,
    feedback.router,
    routes.router,
    v2.router,
    v2.predict_router,
)


class State(TypedDict):
    """The content of `request.state`."""

    settings: BackendSettings
    reloader: ModelReloader
    queue: RequestQueue
    metrics: Metrics
    feedback: FeedbackHandler


def create_app(settings: BackendSettings | None = None, reloader: ModelReloader | None = None) -> FastAPI:
    """Build the backend; nothing is loaded before it starts.

    By default the settings are those in the environment. A reloader for them may have started already, while this
    module was imported.
    """
    settings = read_settings(BackendSettings) if settings is None else settings
    reloader = make_reloader(settings) if reloader is None else reloader
    tokens = Tokens(signing_key(settings), days=settings.token_days)
    uploads = Uploads(settings, reloader.metrics)

    app = FastAPI(
        title="animals",
        summary="Says what is on a picture.",
        version=version("animals"),
        lifespan=lambda _: _running(settings, reloader, tokens),
        middleware=_middleware(settings, reloader.metrics, uploads),
        dependencies=[Security(APIKeyHeader(name=auth.HEADER, auto_error=False))] if settings.keys else [],
        exception_handlers=error_responses.HANDLERS,
        form_limits={"max_files": 1, "max_fields": 10},
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.uploads = uploads  # for the server, which knows when it shuts down
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _running(settings: BackendSettings, reloader: ModelReloader, tokens: Tokens) -> AsyncIterator[State]:
    """Start the threads of the service, and stop them at the end."""
    metrics = reloader.metrics
    log = PredictionLog(
        reloader.storage,
        metrics,
        batch=settings.predictions_batch,
        seconds=settings.predictions_seconds,
        max_bytes=settings.predictions_bytes,
    )
    queue = RequestQueue(
        Predictor(reloader, tokens, metrics, log),
        slots=available_cpus(),
        deadline=settings.deadline_seconds,
        metrics=metrics,
    )
    handler = FeedbackHandler(FeedbackStore(reloader.storage, metrics), tokens, max_pixels=settings.max_pixels)
    with reloader, log:
        async with queue:
            yield State(settings=settings, reloader=reloader, queue=queue, metrics=metrics, feedback=handler)


def _middleware(settings: BackendSettings, metrics: Metrics, uploads: Uploads) -> list[Middleware]:
    """Return what a request passes before its route, the outermost first; only what is configured."""
    stack: list[Any] = [Middleware(TraceMiddleware), Middleware(SlashMiddleware)]
    stack.append(Middleware(AccessMiddleware, metrics=metrics))
    if settings.origins:
        from fastapi.middleware.cors import CORSMiddleware

        stack.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST"],
                allow_headers=[auth.HEADER],
                expose_headers=["Retry-After"],
            )
        )
    if settings.keys:
        stack.append(Middleware(KeyMiddleware, keys=settings.keys))
    if settings.rate_limit:
        from animals.serving.middleware.rates import RateMiddleware, parse_rate

        rate = parse_rate(settings.rate_limit)
        stack.append(Middleware(RateMiddleware, rate=rate, behind_proxy=settings.in_cloud))
    return [*stack, Middleware(BodyLimitMiddleware, uploads=uploads)]
