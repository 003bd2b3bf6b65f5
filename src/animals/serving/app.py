"""The application: `uvicorn --factory animals.serving.app:create_app`, or better `python -m animals.serving`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, TypedDict

from fastapi import FastAPI, Security
from fastapi.middleware import Middleware
from fastapi.security import APIKeyHeader

from animals.api import Prediction
from animals.config.settings import read_settings
from animals.cpus import available_cpus
from animals.serving import batch, error_responses, feedback, routes
from animals.serving.logs import TraceMiddleware
from animals.serving.metrics import Metrics
from animals.serving.middleware import auth
from animals.serving.middleware.access import AccessMiddleware
from animals.serving.middleware.auth import KeyMiddleware
from animals.serving.middleware.limits import Bodies, BodyLimitMiddleware, BodyLimits
from animals.serving.model_reloader import Watcher, make_watcher
from animals.serving.predict import Answering, Question
from animals.serving.prediction_log import PredictionLog
from animals.serving.queue import Engine
from animals.serving.settings import BackendSettings
from animals.serving.tokens import Tokens, signing_key
from animals.serving.v2 import routes as v2


class State(TypedDict):
    """What `request.state` carries."""

    settings: BackendSettings
    tokens: Tokens
    watcher: Watcher
    engine: Engine[Question, Prediction]
    metrics: Metrics
    predictions: PredictionLog
    feedback: feedback.FeedbackBox


def create_app(settings: BackendSettings | None = None, watcher: Watcher | None = None) -> FastAPI:
    """Build the backend; nothing is loaded before it starts.

    Args:
        settings: those in the environment if not given.
        watcher: one for these settings that has begun already, while this module was being imported.

    Raises:
        ConfigError: a setting is impossible or missing.
    """
    settings = read_settings() if settings is None else settings
    watcher = make_watcher(settings) if watcher is None else watcher
    tokens = Tokens(signing_key(settings), days=settings.token_days)
    metrics = watcher.metrics
    limits = BodyLimits(
        bytes_each=settings.max_upload_bytes,
        bytes_together=settings.max_uploads_bytes,
        seconds=settings.upload_seconds,
    )
    bodies = Bodies(limits, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        log = PredictionLog(
            watcher.storage,
            metrics,
            batch=settings.predictions_batch,
            seconds=settings.predictions_seconds,
            max_bytes=settings.predictions_bytes,
        )
        engine: Engine[Question, Prediction] = Engine(
            available_cpus(),
            work=Answering(watcher, tokens, metrics, log),
            deadline=settings.deadline_seconds,
            guess=lambda: watcher.seconds,
            metrics=metrics,
        )
        box = feedback.FeedbackBox(watcher.storage, tokens, metrics, max_pixels=settings.max_pixels)
        with watcher, log:
            async with engine:
                yield State(
                    settings=settings,
                    tokens=tokens,
                    watcher=watcher,
                    engine=engine,
                    metrics=metrics,
                    predictions=log,
                    feedback=box,
                )

    app = FastAPI(
        title="animals",
        summary="Says what is on a picture.",
        version=version("animals"),
        lifespan=lifespan,
        middleware=_middleware(settings, metrics, bodies),
        dependencies=[Security(APIKeyHeader(name=auth.HEADER, auto_error=False))] if settings.keys else [],
        exception_handlers=error_responses.handlers(),
        form_limits={"max_files": 1, "max_fields": 10},
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    app.state.bodies = bodies  # for the server, which knows when it ends
    app.include_router(routes.computing)
    app.include_router(batch.router)
    app.include_router(feedback.router)
    app.include_router(routes.router)
    app.include_router(v2.router)
    app.include_router(v2.computing)
    return app


def _middleware(settings: BackendSettings, metrics: Metrics, bodies: Bodies) -> list[Middleware]:
    """What a request passes before its route, the outermost first; what is not configured is not there."""
    wanted: list[Any] = [Middleware(TraceMiddleware), Middleware(AccessMiddleware, metrics=metrics)]
    if settings.origins:
        from fastapi.middleware.cors import CORSMiddleware

        wanted.append(
            Middleware(
                CORSMiddleware,
                allow_origins=settings.origins,
                allow_methods=["GET", "POST"],
                allow_headers=[auth.HEADER],
                expose_headers=["Retry-After"],
            )
        )
    if settings.keys:
        wanted.append(Middleware(KeyMiddleware, keys=settings.keys))
    if settings.rate_limit:
        from animals.serving.middleware.rates import RateMiddleware, read_rate

        rate = read_rate(settings.rate_limit)
        wanted.append(Middleware(RateMiddleware, rate=rate, behind_proxy=settings.in_cloud))
    return [*wanted, Middleware(BodyLimitMiddleware, bodies=bodies)]
