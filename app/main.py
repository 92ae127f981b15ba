"""The composition root: settings become parts, parts become an application."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.routing import BaseRoute

from app import __version__
from app.access.keyring import Keyring
from app.access.rates import Rates, shared_memory
from app.api import openapi, problems
from app.api.access import require_access
from app.api.connections.hosts import Hosts, names_in
from app.api.connections.limits import ConnectionLimits
from app.api.connections.load import Load
from app.api.connections.origins import Origins, origins_in
from app.api.found import found_in
from app.api.giving_up import GivingUp
from app.api.head_method import HeadMethod
from app.api.middleware import EveryRequest
from app.api.parts import Limits, Parts, require_own_site
from app.api.routes import aliases, bringing, cards, export, health, inside, metrics, models, pictures, predict, train
from app.api.routes import datasets as datasets_routes
from app.api.routes import jobs as jobs_routes
from app.api.streams import Streams
from app.engine.device import one_blas_thread
from app.jobs.budget import Cost
from app.jobs.capacity import Capacity
from app.jobs.jobs import Jobs
from app.jobs.work import Workplace
from app.opening import executor_of, store_of
from app.protocols import mlflow, repository, v1, v2
from app.protocols.inference import InferenceRequest
from app.protocols.repository import IndexRequest, LoadRequest
from app.serving.loaded import LoadedModels
from app.serving.together import Together
from app.serving.turn import Turn
from app.settings import Settings
from app.store.datasets import DatasetStore
from app.store.deeds import forget_old
from app.tables.bounds import Bounds
from app.telemetry.account import Account
from app.telemetry.requests import Requests
from app.telemetry.traces import spans_to
from app.web import routes as page

if TYPE_CHECKING:
    from app.jobs.spans import JobSpans
    from app.telemetry.spans import Spans

ROUTES = (
    page,  # first: those that stand after the route of a first request need not be laid out to find it
    train,
    jobs_routes,
    predict,
    aliases,
    models,
    inside,
    cards,
    pictures,
    export,
    bringing,
    datasets_routes,
    repository,
    v2,
    v1,
    mlflow,
    health,
    metrics,
)

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
"""Of FastAPI's own: its spans have the query, and all would be told twice."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """Make an application that opens its parts when it starts and closes them when it stops."""
    settings = settings or Settings()
    requests = Requests(logs_all=settings.log_requests == "all")

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _opened(settings, requests) as app.state.parts:
            yield

    app = FastAPI(
        title="netlet",
        version=__version__,
        description="Post a table, get a neural network.",
        lifespan=lifespan,
        redirect_slashes=False,
        telemetry=NO_TELEMETRY,
        docs_url=None,  # a page of ours
        redoc_url=None,
    )
    app.router.routes.extend(_routes())
    problems.install(app)
    openapi.describe(app, InferenceRequest, IndexRequest, LoadRequest)
    app.state.requests = requests
    app.add_middleware(HeadMethod)
    app.add_middleware(GivingUp)
    app.add_middleware(EveryRequest, requests=requests, origins=origins_of(settings))
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Give all routes, which are laid out at their first request, once a process: no application changes them."""
    router = APIRouter(dependencies=[Depends(require_own_site), Depends(require_access)])
    for routes in ROUTES:
        router.include_router(routes.router)
    return router.routes


@asynccontextmanager
async def _opened(settings: Settings, requests: Requests) -> AsyncIterator[Parts]:
    """Open all that a service is made of, and close it."""
    store = store_of(settings)
    datasets = DatasetStore(settings.models, store.catalogue)
    store.open()
    datasets.open(alone=store.is_alone)
    executor = executor_of(settings)
    requests.spans = spans = spans_to(os.environ)
    work = Workplace(
        settings.models,
        settings.device,
        settings.threads,
        settings.checkpoint_seconds,
        store.remote,
        tells_steps=spans is not None,
    )
    jobs = Jobs(executor, work, store.catalogue, _capacity(settings))
    jobs.moves.spans = None if spans is None else _job_spans(jobs, spans)
    await jobs.open(alone=store.is_alone)
    forget_old(store.catalogue, settings.deed_days)
    turn, rates = Turn(store.catalogue), Rates(shared_memory())
    loaded = LoadedModels(store, settings.cache_bytes, turn)
    keyring = Keyring(turn, rates, is_needed=settings.is_exposed)
    account = Account(requests.figures, loaded.uses.figures, loaded.figures, jobs.moves.figures)
    load = Load(settings.queue_seconds)
    streams, together = Streams(settings.most_streams), Together(asyncio.get_running_loop())
    found = found_in(store, jobs)
    try:
        async with account.kept():
            with one_blas_thread():  # answers must not depend on how many there are
                limits, origins = _limits(settings), origins_of(settings)
                yield Parts(
                    store, datasets, loaded, keyring, together, jobs, limits, account, load, streams, found, origins
                )
    finally:
        await jobs.close()
        store.close()
        rates.close()
        if spans is not None:
            requests.spans = None
            await asyncio.to_thread(spans.close)


def _job_spans(jobs: Jobs, spans: "Spans") -> "JobSpans":
    from app.jobs.spans import JobSpans  # noqa: PLC0415 - what it takes is an extra, and much

    return JobSpans(jobs.folder, spans)


def _capacity(settings: Settings) -> Capacity:
    return Capacity(
        at_once=settings.trainings_at_once,
        most_waiting=settings.most_waiting,
        lease=settings.lease_seconds,
        most_attempts=settings.most_attempts,
        seconds=settings.training_seconds,
    )


def _limits(settings: Settings) -> Limits:
    """Say what one request may ask for."""
    return Limits(
        settings.train_bytes,
        settings.snapshot_bytes,
        settings.predict_bytes,
        settings.bulk_bytes,
        settings.upload_bytes,
        settings.most_answers,
        Cost(settings.most_parameters, settings.most_numbers, settings.most_operations),
        settings.training_seconds,
        settings.most_groups,
        Bounds(
            settings.most_cells,
            settings.most_rows,
            settings.most_columns,
            settings.longest_cell,
            settings.json_depth,
            settings.train_bytes,
        ),
    )


def origins_of(settings: Settings) -> Origins:
    """Say which pages from elsewhere may ask."""
    return Origins(origins_in(settings.cors_origins))


def connection_limits(settings: Settings, most_open: int) -> ConnectionLimits:
    """Say what a client may do on its connection, of which no more can be open than this."""
    return ConnectionLimits(
        hosts=Hosts(names_in(settings.hosts)),
        origins=origins_of(settings),
        head_bytes=settings.head_bytes,
        headers=settings.most_headers,
        url_bytes=settings.url_bytes,
        receive_seconds=settings.receive_seconds,
        send_seconds=settings.send_seconds,
        bytes_per_second=settings.slowest_bytes,
        unsent_bytes=settings.unsent_bytes,
        connections=min(settings.most_connections, most_open),
        pipelined=settings.most_pipelined,
        requests=settings.most_requests,
    )


def parts_in(app: FastAPI) -> Parts | None:
    """Give the parts of an application; None where it has not started."""
    parts: Parts | None = getattr(app.state, "parts", None)
    return parts
